#include "readers/text/distinct_names.h"

#include <algorithm>
#include <map>
#include <set>

namespace moescope {

std::vector<std::string> extended_names(std::vector<std::string> names,
                                        std::vector<std::filesystem::path> parents) {
  for (bool changed = true; changed;) {
    changed = false;
    std::map<std::string, std::set<std::filesystem::path>> places;  // equal ones no parent tells apart
    for (std::size_t i = 0; i < names.size(); ++i) places[names[i]].insert(parents[i]);
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (places[names[i]].size() == 1 || !parents[i].has_filename()) continue;
      names[i] = (parents[i].filename() / names[i]).string();
      parents[i] = parents[i].parent_path();
      changed = true;
    }
  }
  return names;
}

void number_equal_names(std::vector<std::string>& names) {
  std::map<std::string, int> seen;
  for (std::string& name : names) {
    if (const int number = ++seen[name]; number > 1) name += "#" + std::to_string(number);
  }
}

}  // namespace moescope
