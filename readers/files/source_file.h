#pragma once
/// Positioned reads of one input file.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace moescope {

/// Whether `bytes` from `offset` end at or before `end`; nothing overflows.
constexpr bool ends_within(std::uint64_t offset, std::uint64_t bytes, std::uint64_t end) {
  return offset <= end && bytes <= end - offset;
}

/// An open, read-only regular file. Every read is positioned and complete: a file that shrinks while it is
/// read is a std::system_error with a message, never a crash and never silence. Thread-safe.
class SourceFile {
 public:
  /// Symbolic links are followed. Throws FormatError when nothing or a directory is there, std::system_error
  /// when it cannot be opened or is not a regular file.
  explicit SourceFile(const std::filesystem::path& path);
  ~SourceFile();
  SourceFile(SourceFile&& other) noexcept;
  SourceFile& operator=(SourceFile&& other) noexcept;

  const std::string& name() const { return name_; }    // as given, for messages
  std::uint64_t size() const { return size_; }         // bytes, when it was opened
  std::int64_t modified() const { return modified_; }  // nanoseconds since 1970, when it was opened
  std::uint64_t inode() const { return inode_; }       // its number in its file system

  /// Fills `destination` from `offset`. Throws std::system_error on an error or a short read.
  void read(std::uint64_t offset, std::span<std::byte> destination) const;
  /// Throws as read does if the file has become shorter than `end` bytes meanwhile. For memory that is
  /// mapped: what is cut off within the last page reads as zeros there.
  void require_bytes(std::uint64_t end) const;
  /// Throws std::system_error if the file has been written to since it was opened. That it was renamed or
  /// deleted does not matter.
  void require_unchanged() const;
  /// Another descriptor of the very same file with flags of its own (those of open), to be closed by the
  /// caller; -1 if the system gives none.
  int reopen(int flags) const;
  /// Tells the kernel to begin reading these bytes. Does not wait, never fails.
  void prefetch(std::uint64_t offset, std::uint64_t bytes) const;
  /// Tells the kernel that these bytes will not be needed again (they leave the page cache). Never fails.
  void forget(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  std::string name_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::int64_t modified_ = 0;
  std::uint64_t inode_ = 0;
};

/// The whole file as text or bytes; `limit` bytes at most, else FormatError.
std::string read_whole_file(const std::filesystem::path& path, std::uint64_t limit = 1ull << 30);

}  // namespace moescope
