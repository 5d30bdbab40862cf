#pragma once
/// How vocabularies spell bytes. Byte-level ones use the printable alphabet of GPT-2: a printable Latin-1
/// character stands for its own byte, the characters from U+0100 on for the other 68 in ascending order.
/// Those over characters write "<0x0A>" for a byte of a character that is no token (byte fallback).

#include <optional>
#include <string>
#include <string_view>

namespace moescope {

/// UTF-8 of the character that stands for `byte`, e.g. "Ġ" for the space.
std::string printable_byte(unsigned char byte);

/// The bytes that `token` spells; empty when one of its characters stands for none. `token` is valid UTF-8.
std::optional<std::string> spelled_bytes(std::string_view token);

/// E.g. "<0x0A>".
std::string fallback_byte(unsigned char byte);
/// The byte that is written so; empty when `token` is something else.
std::optional<char> spelled_fallback_byte(std::string_view token);

}  // namespace moescope
