#pragma once
/// Large reads of one file that leave the page cache as it is: what it holds is taken from there, and the
/// rest, which would only push out what others need, is read past it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "readers/files/large_memory.h"
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
    void operator()(std::byte* memory) const { free_aligned(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::uint64_t size_ = 0;
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
  /// What the page cache does not hold is read past it where the file system can (O_DIRECT), else through it,
  /// which is then told to let go. Returns where in `room`, a PageBuffer of at least room_for(bytes), the
  /// bytes are. Throws std::system_error.
  std::span<const std::byte> read(std::uint64_t offset, std::uint64_t bytes, std::span<std::byte> room) const;
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
