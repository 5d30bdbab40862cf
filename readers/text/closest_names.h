#pragma once
/// What a name that was cut short or misspelt may have meant.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moescope {

/// Insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The index of the name that `given` means: of that name itself, or of the only one that ends so behind a
/// separator (- _ / or a blank), as figures show names: "05T" of "tiny-dots1-05T". Empty when there is none.
/// Throws UsageError when several end so.
std::optional<std::size_t> find_name(std::span<const std::string> names, std::string_view given);

/// At most `limit` of `names` that are near `name` or contain it, nearest first; of equally near ones the
/// earlier. Case and separators do not count: "maxvio" is near "max_violation".
std::vector<std::string> closest_names(std::string_view name, std::span<const std::string> names,
                                       std::size_t limit = 3);

}  // namespace moescope
