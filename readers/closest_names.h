#pragma once
/// Names in messages: lists of them, and what a misspelt one may have meant.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moescope {

/// "a, b, c"; of very many names the first and their number.
std::string name_list(std::span<const std::string> names);

/// Insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// At most `limit` of `names` that are near `name` or contain it, nearest first; of equally near ones the
/// earlier.
std::vector<std::string> closest_names(std::string_view name, std::span<const std::string> names,
                                       std::size_t limit = 3);

}  // namespace moescope
