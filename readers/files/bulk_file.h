#pragma once
/// Large sequential reads of one file, by the cheapest way: where the page cache holds them, without a copy;
/// otherwise past it, if they would only push out what others need.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "readers/files/source_file.h"

namespace moescope {

/// Memory for reads, on a page boundary, not initialised.
class PageBuffer {
 public:
  PageBuffer() = default;
  explicit PageBuffer(std::uint64_t bytes);  // throws std::bad_alloc
  std::span<std::byte> bytes() const { return {memory_.get(), memory_ ? size_ : 0}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::uint64_t size_ = 0;
};

/// Part of a file mapped into memory, read-only. Of a file that is cut short meanwhile, missing pages raise
/// SIGBUS where they are read, and what is missing of its last page becomes zeros.
class MappedBytes {
 public:
  MappedBytes() = default;
  MappedBytes(int descriptor, std::uint64_t offset, std::uint64_t bytes);  // empty if it cannot be mapped
  ~MappedBytes();
  MappedBytes(MappedBytes&& other) noexcept;
  MappedBytes& operator=(MappedBytes&& other) noexcept;
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> pages_;  // whole pages
  std::span<const std::byte> bytes_;
};

/// Thread-safe.
class BulkFile {
 public:
  /// Takes two more descriptors of `file`, which must outlive this. Whatever the system does not support
  /// falls back to file.read.
  explicit BulkFile(const SourceFile& file);
  ~BulkFile();
  BulkFile(const BulkFile&) = delete;
  BulkFile& operator=(const BulkFile&) = delete;

  /// Whether these bytes are in the page cache. False where the file system cannot tell. Where it
  /// does not count pages (before Linux 6.5), judged by a sample of them, of which asking may read one.
  bool is_cached(std::uint64_t offset, std::uint64_t bytes) const;
  /// The page cache's own memory, ready to be read; empty if the file cannot be mapped or never had as many
  /// bytes. Throws std::system_error if it has become shorter since it was opened.
  MappedBytes map(std::uint64_t offset, std::uint64_t bytes) const;

  /// Reads past the page cache where the file system can (O_DIRECT), else through it, which is then told to
  /// let go. Returns where in `room`, a PageBuffer of at least room_for(bytes), the bytes are. Throws
  /// std::system_error.
  std::span<const std::byte> read_uncached(std::uint64_t offset, std::uint64_t bytes,
                                           std::span<std::byte> room) const;
  static constexpr std::uint64_t page_bytes = 4096;
  static constexpr std::uint64_t room_for(std::uint64_t bytes) { return bytes + 2 * page_bytes; }

 private:
  bool read_direct(std::uint64_t offset, std::uint64_t bytes, std::span<std::byte> room) const;

  const SourceFile& file_;
  int probe_ = -1;             // reads of single pages that ask for no reading ahead
  int direct_ = -1;            // reads past the page cache
  bool counts_pages_ = false;  // whether the system tells exactly what is cached
};

}  // namespace moescope
