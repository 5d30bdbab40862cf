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
  bool past_page_cache = false;     // read past the page cache what it does not hold
};

/// Reads ranges in order, on a thread of its own. Those that the page cache holds are mapped, not copied;
/// others are read with large positioned reads. Not thread-safe: one consumer.
class ReadAhead {
 public:
  /// A range in memory. It belongs to the consumer until it is given back.
  struct Loaded {
    FileRange range;
    double read_seconds = 0;
    std::span<const std::byte> bytes;  // in `mapped` or in `buffer`
    MappedBytes mapped;
    PageBuffer buffer;  // kept from range to range
  };

  /// `next_range` is called on the reading thread; nothing ends the reading.
  ReadAhead(std::function<std::optional<FileRange>()> next_range, const ReadAheadOptions& options);
  ~ReadAhead();

  /// The next range, as soon as it is read. Throws what reading threw (std::system_error). Must be called
  /// once for each range at most, with less than options.least_ranges of them held.
  Loaded take();
  /// Throws std::system_error if the file was cut short while the range was held: its bytes may have read as
  /// zeros.
  void give_back(Loaded loaded);

 private:
  struct Ring;
  std::unique_ptr<Ring> ring_;
};

}  // namespace moescope
