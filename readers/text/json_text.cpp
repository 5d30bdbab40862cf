#include "readers/text/json_text.h"

#include <nlohmann/json.hpp>

namespace moescope {
namespace {

using Json = nlohmann::ordered_json;

std::string compact(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void write(const Json& value, std::size_t indent, std::string& text) {
  const auto holds_containers = [](const Json& array) {
    for (const Json& element : array) {
      if (element.is_structured()) return true;
    }
    return false;
  };
  if (!value.is_structured() || value.empty() || (value.is_array() && !holds_containers(value))) {
    text += compact(value);
    return;
  }
  const std::string line_start = "\n" + std::string(indent + 2, ' ');
  const char* separator = "";
  text += value.is_object() ? '{' : '[';
  for (const auto& item : value.items()) {
    text.append(separator).append(line_start);
    if (value.is_object()) text.append(compact(item.key())).append(": ");
    write(item.value(), indent + 2, text);
    separator = ",";
  }
  text.append("\n").append(indent, ' ');
  text += value.is_object() ? '}' : ']';
}

}  // namespace

std::string json_text(const Json& value) {
  std::string text;
  write(value, 0, text);
  return text + "\n";
}

}  // namespace moescope
