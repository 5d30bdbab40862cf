#include "readers/utf8.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>

namespace moescope {

std::size_t first_invalid_utf8(std::string_view text) {
  constexpr std::size_t longest_sequence = 4;
  std::size_t position = 0;
  while (position < text.size()) {
    if (static_cast<unsigned char>(text[position]) < 0x80) {
      ++position;
      continue;
    }
    const char* sequence = text.data() + position;
    const auto available = static_cast<std::int32_t>(std::min(text.size() - position, longest_sequence));
    std::int32_t length = 0;
    std::int32_t code_point = 0;
    U8_NEXT(sequence, length, available, code_point);
    if (code_point < 0) return position;
    position += static_cast<std::size_t>(length);
  }
  return position;
}

}  // namespace moescope
