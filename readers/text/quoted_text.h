#pragma once
/// What others wrote, in messages of ours: of any length and any bytes there, of one line here.

#include <cstddef>
#include <string>

namespace moescope {

/// At most `longest` bytes of `text`, whole characters of UTF-8, and an ellipsis where some are left out.
std::string shortened(std::string text, std::size_t longest);

/// 'TEXT' for a message, with control characters escaped; shortened when very long. Bytes that are not UTF-8
/// become U+FFFD.
std::string single_quoted(const std::string& text);

}  // namespace moescope
