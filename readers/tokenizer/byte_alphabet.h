#pragma once
/// The printable alphabet in which byte-level vocabularies spell bytes (introduced by GPT-2): a printable
/// Latin-1 character stands for its own byte, the characters from U+0100 on for the other 68 in ascending
/// order.

#include <optional>
#include <string>
#include <string_view>

namespace moescope {

/// UTF-8 of the character that stands for `byte`, e.g. "Ġ" for the space.
std::string printable_byte(unsigned char byte);

/// The bytes that `token` spells; empty when one of its characters stands for none. `token` is valid UTF-8.
std::optional<std::string> spelled_bytes(std::string_view token);

}  // namespace moescope
