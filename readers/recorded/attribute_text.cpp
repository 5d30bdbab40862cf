#include "readers/recorded/attribute_text.h"

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace moescope {

std::string attribute_text(const RunFile& run, const std::string& object, const std::string& name) {
  const auto value = run.attribute(object, name);
  if (!value) return {};
  if (const auto* text = std::get_if<std::string>(&*value)) return *text;
  std::string joined;
  if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&*value)) {
    for (const std::int64_t number : *numbers) joined += (joined.empty() ? "" : ".") + std::to_string(number);
  }
  return joined;
}

}  // namespace moescope
