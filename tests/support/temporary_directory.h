#pragma once
/// A directory that lives as long as a test.

#include <filesystem>
#include <string_view>

namespace moescope {

/// Made empty below the system's directory for temporary files; removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Replaces the file and makes its directories. Throws std::system_error.
void write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace moescope
