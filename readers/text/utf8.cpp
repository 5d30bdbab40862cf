#include "readers/text/utf8.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace moescope {

namespace {

// Most text we read is ASCII: eight bytes at a time. Ends before the first byte that is not, or up to 7
// earlier.
std::size_t skip_ascii(std::string_view text, std::size_t position) {
  constexpr std::uint64_t high_bits = 0x8080808080808080;
  std::uint64_t word = 0;
  for (; position + sizeof word <= text.size(); position += sizeof word) {
    std::memcpy(&word, text.data() + position, sizeof word);
    if (word & high_bits) break;
  }
  return position;
}

}  // namespace

std::size_t first_invalid_utf8(std::string_view text) {
  constexpr std::size_t longest_sequence = 4;
  std::size_t position = 0;
  while (position < text.size()) {
    if (static_cast<unsigned char>(text[position]) < 0x80) {
      position = std::max(position + 1, skip_ascii(text, position));
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

std::string valid_utf8(std::string_view text) {
  constexpr std::string_view replacement = "\xEF\xBF\xBD";
  std::string valid;
  while (!text.empty()) {
    const std::size_t good = first_invalid_utf8(text);
    valid += text.substr(0, good);
    if (good == text.size()) break;
    valid += replacement;
    text.remove_prefix(good + 1);
  }
  return valid;
}

}  // namespace moescope
