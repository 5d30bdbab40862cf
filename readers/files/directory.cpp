#include "readers/files/directory.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "readers/errors.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

fs::file_status status_of(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::none)
    throw std::system_error(error, path.string() + ": cannot be examined");
  return status;
}

}  // namespace

bool path_exists(const fs::path& path) {
  return fs::exists(status_of(path));
}

bool is_directory_path(const fs::path& path) {
  return fs::is_directory(status_of(path));
}

void throw_not_opened(const std::string& file, const char* action) {
  if (errno == ENOENT || errno == ENOTDIR) throw MissingInput(file);
  throw_errno(file, action);
}

std::vector<std::string> directory_names(const fs::path& directory) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) throw std::system_error(error, directory.string() + ": cannot be listed");
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace moescope
