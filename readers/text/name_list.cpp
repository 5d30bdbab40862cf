#include "readers/text/name_list.h"

#include <vector>

#include "readers/text/quoted_text.h"

namespace moescope {

std::string name_list(std::span<const std::string> names, std::size_t most) {
  const std::size_t shown = names.size() <= most ? names.size() : most - 1;
  std::string list;
  for (const std::string& name : names.first(shown)) list.append(list.empty() ? "" : ", ").append(name);
  return shown == names.size() ? list : list + ", … (" + std::to_string(names.size()) + " in all)";
}

std::string names_in_words(std::span<const std::string> names, std::string_view more) {
  constexpr std::size_t most = 4;
  const std::size_t shown = names.size() <= most ? names.size() : most - 1;
  std::string text;
  for (std::size_t i = 0; i < shown; ++i)
    text.append(i == 0 ? "" : i + 1 == names.size() ? " and " : ", ").append(names[i]);
  if (shown < names.size()) text += " and " + std::to_string(names.size() - shown) + " " + std::string(more);
  return text;
}

std::string quoted_names(std::span<const std::string> names) {
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back(single_quoted(name));
  return names_in_words(quoted, "others");
}

}  // namespace moescope
