#pragma once
/// Whether bytes are text.

#include <cstddef>
#include <string>
#include <string_view>

namespace moescope {

/// The first byte of `text` that does not belong to a well-formed UTF-8 sequence; text.size() when all do.
/// Surrogates and overlong forms are malformed. Thread-safe.
std::size_t first_invalid_utf8(std::string_view text);

/// The same text where it is valid; every byte that belongs to no well-formed sequence becomes U+FFFD. Names
/// of files may be any bytes.
std::string valid_utf8(std::string_view text);

inline constexpr std::string_view utf8_byte_order_mark = "\xEF\xBB\xBF";

}  // namespace moescope
