#pragma once
/// Lists of names in messages.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace moescope {

/// "a, b, c"; of more than `most` names the first, and how many there are: "a, b, … (7 in all)".
std::string name_list(std::span<const std::string> names, std::size_t most = 20);

/// "a", "a and b", "a, b and c"; of more than four names the first three, and how many more: "a, b, c and 5
/// more".
std::string names_in_words(std::span<const std::string> names, std::string_view more = "more");

/// The same of names in quotation marks (single_quoted).
std::string quoted_names(std::span<const std::string> names);

}  // namespace moescope
