#pragma once
/// Reads parts of files ahead of whoever works on them, within a memory budget.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "readers/files/bulk_file.h"
#include "readers/files/source_file.h"

namespace moescope {

/// Some bytes of a file.
struct FileRange {
  const SourceFile* file = nullptr;
  std::uint64_t offset = 0, bytes = 0;
};

struct ReadAheadOptions {
  std::uint64_t largest_range = 0;  // bytes of the largest range there will be
  std::uint64_t memory = 0;         // bytes that may be in memory at once
  std::size_t least_ranges = 2;     // that may be in memory at once, however little memory there is
  bool past_page_cache = false;     // leave the page cache as it is
};

/// How many bytes are best read at once for `threads` that work on them together: few, so that they are in a
/// processor's cache when they are used; but enough for each thread, and for reading at full speed.
std::uint64_t preferred_range(unsigned threads);

/// Reads ranges in order, on a thread of its own. They are copied even if the page cache holds them: to map
/// them takes as long where pages are small, longer in a virtual machine, and what a mapped file loses while
/// it is read cannot be told in a sentence. Not thread-safe: one consumer.
class ReadAhead {
 public:
  /// A range in memory. It belongs to the consumer until it is given back.
  struct Loaded {
    FileRange range;
    double read_seconds = 0;
    std::span<const std::byte> bytes;  // in `buffer`
    PageBuffer buffer;                 // kept from range to range
  };

  /// `next_range` is called on the reading thread; nothing ends the reading.
  ReadAhead(std::function<std::optional<FileRange>()> next_range, const ReadAheadOptions& options);
  ~ReadAhead();

  /// The next range, as soon as it is read. Throws what reading threw (std::system_error). Must be called
  /// once for each range at most, with less than options.least_ranges of them held.
  Loaded take();
  void give_back(Loaded loaded);

 private:
  struct Ring;
  std::unique_ptr<Ring> ring_;
};

}  // namespace moescope
