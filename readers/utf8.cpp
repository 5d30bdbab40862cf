#include "readers/utf8.h"

#include <utf8proc.h>

#include <algorithm>

namespace moescope {

std::size_t first_invalid_utf8(std::string_view text) {
  std::size_t position = 0;
  while (position < text.size()) {
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + position;
    if (*bytes < 0x80) {
      ++position;
      continue;
    }
    utf8proc_int32_t code_point = 0;
    const auto window = std::min<std::size_t>(text.size() - position, 4);
    const auto length = utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(window), &code_point);
    if (length <= 0) return position;
    position += static_cast<std::size_t>(length);
  }
  return position;
}

}  // namespace moescope
