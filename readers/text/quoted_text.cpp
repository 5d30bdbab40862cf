#include "readers/text/quoted_text.h"

#include <nlohmann/json.hpp>

namespace moescope {

std::string shortened(std::string text, std::size_t longest) {
  if (text.size() <= longest) return text;
  while (longest > 0 && (static_cast<unsigned char>(text[longest]) & 0xC0) == 0x80)
    --longest;  // whole characters
  return text.replace(longest, std::string::npos, "…");
}

std::string single_quoted(const std::string& text) {
  using nlohmann::json;
  const std::string escaped = json(text).dump(-1, ' ', false, json::error_handler_t::replace);
  return "'" + shortened(escaped.substr(1, escaped.size() - 2), 200) + "'";
}

}  // namespace moescope
