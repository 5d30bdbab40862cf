#include "readers/text/closest_names.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "readers/errors.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

constexpr std::string_view separators = "-_/ ";

/// Lower case, without separators.
std::string letters_of(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    if (separators.find(c) == std::string_view::npos)
      letters += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return letters;
}

bool is_end_of(std::string_view name, std::string_view end) {
  return !end.empty() && name.size() > end.size() && name.ends_with(end) &&
         separators.find(name[name.size() - end.size() - 1]) != std::string_view::npos;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * width);  // (|a| + 1, |b| + 1) distances between prefixes
  for (std::size_t i = 0; i <= a.size(); ++i) table[i * width] = i;
  for (std::size_t j = 0; j < width; ++j) table[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j < width; ++j) {
      const bool same = a[i - 1] == b[j - 1];
      std::size_t best = table[(i - 1) * width + j - 1] + (same ? 0 : 1);
      best = std::min({best, table[(i - 1) * width + j] + 1, table[i * width + j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) best = std::min(best, table[(i - 2) * width + j - 2] + 1);
      table[i * width + j] = best;
    }
  }
  return table.back();
}

std::optional<std::size_t> find_name(std::span<const std::string> names, std::string_view given) {
  if (const auto same = std::ranges::find(names, given); same != names.end())
    return static_cast<std::size_t>(same - names.begin());
  std::vector<std::string> meant;
  std::optional<std::size_t> index;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_end_of(names[i], given)) continue;
    meant.push_back(names[i]);
    index = i;
  }
  if (meant.size() < 2) return index;
  throw UsageError("several names end in '" + std::string(given) + "'", "it may be " + name_list(meant));
}

std::vector<std::string> closest_names(std::string_view name, std::span<const std::string> names,
                                       std::size_t limit) {
  const std::string letters = letters_of(name);
  const std::size_t tolerance = std::max<std::size_t>(1, letters.size() / 3);
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& candidate : names) {
    const std::string other = letters_of(candidate);
    const std::size_t distance = edit_distance(letters, other);
    const bool contained = letters.size() >= 3 && other.find(letters) != std::string::npos;
    if (distance <= tolerance || contained) near.emplace_back(contained ? 1 : distance, candidate);
  }
  std::ranges::stable_sort(near, {}, &std::pair<std::size_t, std::string>::first);
  near.resize(std::min(near.size(), limit));
  std::vector<std::string> result;
  for (auto& [distance, candidate] : near) result.push_back(std::move(candidate));
  return result;
}

}  // namespace moescope
