#pragma once
/// A large new file, written from its start to its end.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace moescope {

/// What has been written leaves the page cache soon after, so that a file larger than memory neither fills it
/// with pages to be written later nor pushes out what others read. All functions throw std::system_error.
class StreamedFile {
 public:
  /// The file must not exist.
  explicit StreamedFile(const std::filesystem::path& path);
  ~StreamedFile();
  StreamedFile(const StreamedFile&) = delete;
  StreamedFile& operator=(const StreamedFile&) = delete;

  void write(std::span<const std::byte> bytes);
  /// The next bytes are a hole: they read as zeros and take no disk.
  void skip(std::uint64_t bytes) { end_ += bytes; }
  /// Must be the last call. Without it the file is incomplete.
  void close();

 private:
  void write_back(std::uint64_t minimum);

  std::string name_;
  int descriptor_ = -1;
  std::uint64_t end_ = 0;       // where the next byte goes
  std::uint64_t started_ = 0;   // the kernel has begun to write what lies before this byte
  std::uint64_t finished_ = 0;  // what lies before this byte has left the page cache
};

}  // namespace moescope
