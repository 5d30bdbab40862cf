#pragma once
/// What lies in a directory, with errors that name it.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace moescope {

/// Follows symbolic links; false for one that leads nowhere. Throws std::system_error when it cannot be told
/// (no permission, a loop of links).
bool path_exists(const std::filesystem::path& path);
bool is_directory_path(const std::filesystem::path& path);

/// For an input that could not be opened: throws MissingInput where `errno` says that nothing is there, else
/// std::system_error with the message "FILE: ACTION".
[[noreturn]] void throw_not_opened(const std::string& file, const char* action = "cannot be opened");

/// Whether a name begins with a dot: what a system or a tool keeps for itself, never an input.
inline bool is_hidden(std::string_view name) {
  return name.starts_with('.');
}

/// The names in a directory, ascending by byte. Throws std::system_error.
std::vector<std::string> directory_names(const std::filesystem::path& directory);

}  // namespace moescope
