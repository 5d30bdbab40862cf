#pragma once
/// Names for files and directories that are told apart by them.

#include <filesystem>
#include <string>
#include <vector>

namespace moescope {

/// Names that coincide are extended by their directories, as many as it takes: "test" in wiki and in code
/// becomes "wiki/test" and "code/test". `parents` (names.size()) are the directories; where one is used up,
/// or two are the same, names may still coincide.
std::vector<std::string> extended_names(std::vector<std::string> names,
                                        std::vector<std::filesystem::path> parents);

/// The second of equal names gets "#2", the third "#3".
void number_equal_names(std::vector<std::string>& names);

}  // namespace moescope
