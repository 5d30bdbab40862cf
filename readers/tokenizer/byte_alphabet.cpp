#include "readers/tokenizer/byte_alphabet.h"

#include <array>
#include <cstdint>

namespace moescope {
namespace {

constexpr bool is_printable(unsigned byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::string_view hexadecimal = "0123456789ABCDEF";

constexpr unsigned first_substitute = 0x100;
constexpr unsigned substitutes = 68;

/// byte -> code point, and for the substitutes the way back.
struct Alphabet {
  std::array<std::uint16_t, 256> code_point{};
  std::array<unsigned char, substitutes> substituted{};
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  unsigned next = 0;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (is_printable(byte)) {
      alphabet.code_point[byte] = static_cast<std::uint16_t>(byte);
    } else {
      alphabet.substituted[next] = static_cast<unsigned char>(byte);
      alphabet.code_point[byte] = static_cast<std::uint16_t>(first_substitute + next++);
    }
  }
  return alphabet;
}

constexpr Alphabet alphabet = make_alphabet();

// Empty for code points outside the alphabet.
std::optional<char> byte_of(unsigned code_point) {
  if (code_point < 256 && is_printable(code_point)) return static_cast<char>(code_point);
  if (code_point >= first_substitute && code_point < first_substitute + substitutes) {
    return static_cast<char>(alphabet.substituted[code_point - first_substitute]);
  }
  return std::nullopt;
}

}  // namespace

std::string printable_byte(unsigned char byte) {
  const unsigned code_point = alphabet.code_point[byte];
  if (code_point < 0x80) return std::string(1, static_cast<char>(code_point));
  return {static_cast<char>(0xC0 | code_point >> 6), static_cast<char>(0x80 | (code_point & 0x3F))};
}

std::optional<std::string> spelled_bytes(std::string_view token) {
  std::string bytes;
  for (std::size_t i = 0; i < token.size(); ++i) {
    unsigned code_point = static_cast<unsigned char>(token[i]);
    if (code_point >= 0x80) {
      // The alphabet ends at U+0143, so that two bytes are enough; longer sequences are not in it.
      if (code_point >= 0xE0 || i + 1 == token.size()) return std::nullopt;
      code_point = (code_point & 0x1F) << 6 | (static_cast<unsigned char>(token[++i]) & 0x3F);
    }
    const std::optional<char> byte = byte_of(code_point);
    if (!byte) return std::nullopt;
    bytes += *byte;
  }
  return bytes;
}

std::string fallback_byte(unsigned char byte) {
  return {'<', '0', 'x', hexadecimal[byte >> 4], hexadecimal[byte & 0xF], '>'};
}

std::optional<char> spelled_fallback_byte(std::string_view token) {
  if (token.size() != 6) return std::nullopt;
  const auto byte =
      static_cast<unsigned char>(hexadecimal.find(token[3]) << 4 | (hexadecimal.find(token[4]) & 0xF));
  if (token != fallback_byte(byte)) return std::nullopt;
  return static_cast<char>(byte);
}

}  // namespace moescope
