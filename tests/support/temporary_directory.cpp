#include "tests/support/temporary_directory.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include "readers/errors.h"

namespace moescope {

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "moescope-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw_errno(pattern, "cannot be made");
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path());
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream.write(content.data(), static_cast<std::streamsize>(content.size()));
  stream.close();
  if (!stream) throw_errno(path.string(), "cannot be written");
}

}  // namespace moescope
