#pragma once
/// Whether bytes are text.

#include <cstddef>
#include <string_view>

namespace moescope {

/// The first byte of `text` that does not belong to a well-formed UTF-8 sequence; text.size() when all do.
/// Surrogates and overlong forms are malformed. Thread-safe.
std::size_t first_invalid_utf8(std::string_view text);

}  // namespace moescope
