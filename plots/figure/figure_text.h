#pragma once
/// Text as figures and reports show it.

#include <string>
#include <string_view>
#include <vector>

namespace moescope {

/// Valid UTF-8 without control characters: wrong bytes become U+FFFD, line breaks and tabs a space.
std::string printable(std::string_view text);

/// The characters of valid UTF-8 text, one string each.
std::vector<std::string_view> characters(std::string_view text);

/// Width of `text` in pixels, roughly, in a sans-serif font.
double text_width(std::string_view text, double font_size);
/// At most `width` pixels of `text`; what is cut becomes "…".
std::string shorten(std::string_view text, double width, double font_size);

/// "0.05", "1500", "1e-05": at most `digits` significant digits, more where that saves an exponent; "–" for
/// NaN.
std::string format_number(double value, int digits = 4);
/// "12.5 %" of 0.125.
std::string format_percent(double share, int digits = 3);
/// Numbers that stand below each other: all with as many decimals as the least of them needs for `digits`
/// significant digits, and none superfluous to all. Numbers too far apart for that as format_number() has
/// them.
std::vector<std::string> format_column(const std::vector<double>& values, int digits = 4);
/// "5 T", "300 B", "12 M" training tokens.
std::string format_tokens(double tokens);
/// The same below each other, all in the unit of the largest.
std::vector<std::string> format_tokens_column(const std::vector<double>& tokens);

/// Names that share a beginning longer than a few characters, without it: {"tiny-dots1-00T",
/// "tiny-dots1-01T"} becomes {"00T", "01T"}. The cut falls after a '-', '_', '/' or space.
std::vector<std::string> without_common_prefix(const std::vector<std::string>& names);

}  // namespace moescope
