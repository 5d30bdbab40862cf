#pragma once
/// Results of a reference implementation: HDF5 files of plain arrays, which are no run files.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moescope {

class GoldenFile {
 public:
  /// Throws std::runtime_error, as all of this: a test that cannot read its reference has failed.
  explicit GoldenFile(const std::filesystem::path& path);
  ~GoldenFile();
  GoldenFile(const GoldenFile&) = delete;
  GoldenFile& operator=(const GoldenFile&) = delete;

  bool contains(const std::string& name) const;
  /// Row-major, whatever its rank.
  std::vector<float> floats(const std::string& name) const;
  std::vector<std::int32_t> integers(const std::string& name) const;
  std::vector<std::size_t> shape(const std::string& name) const;

 private:
  template <class T>
  std::vector<T> read(const std::string& name, std::int64_t memory_type) const;

  std::filesystem::path path_;
  std::int64_t file_;  // hid_t
};

}  // namespace moescope
