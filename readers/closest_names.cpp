#include "readers/closest_names.h"

#include <algorithm>
#include <utility>

namespace moescope {

std::string name_list(std::span<const std::string> names) {
  constexpr std::size_t most = 20;
  std::string list;
  for (const std::string& name : names.first(std::min(names.size(), most))) {
    list.append(list.empty() ? "" : ", ").append(name);
  }
  return names.size() <= most ? list : list + " … (" + std::to_string(names.size()) + " in all)";
}

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

std::vector<std::string> closest_names(std::string_view name, std::span<const std::string> names,
                                       std::size_t limit) {
  const std::size_t tolerance = std::max<std::size_t>(1, name.size() / 3);
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& candidate : names) {
    const std::size_t distance = edit_distance(name, candidate);
    const bool contained = name.size() >= 3 && candidate.find(name) != std::string::npos;
    if (distance <= tolerance || contained) near.emplace_back(contained ? 1 : distance, candidate);
  }
  std::ranges::stable_sort(near, {}, &std::pair<std::size_t, std::string>::first);
  near.resize(std::min(near.size(), limit));
  std::vector<std::string> result;
  for (auto& [distance, candidate] : near) result.push_back(std::move(candidate));
  return result;
}

}  // namespace moescope
