#include "analysis/machine/read_ahead.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <utility>

#include "analysis/machine/clock.h"
#include "analysis/machine/memory.h"
#include "analysis/machine/parallel.h"

namespace moescope {
namespace {

/// Files that stay open between reads: a pass over many checkpoints goes round and round.
constexpr std::size_t most_open_files = 64;

/// The files that were read last.
class OpenFiles {
 public:
  const BulkFile& of(const SourceFile& file) {
    const auto found = std::ranges::find(files_, &file, &Entry::first);
    if (found != files_.end()) return *found->second;
    if (files_.size() == most_open_files) files_.pop_front();
    files_.emplace_back(&file, std::make_unique<BulkFile>(file));
    return *files_.back().second;
  }

 private:
  using Entry = std::pair<const SourceFile*, std::unique_ptr<BulkFile>>;
  std::deque<Entry> files_;
};

}  // namespace

/// Ranges in a circle between the reading thread, which fills free ones, and the consumer.
struct ReadAhead::Ring {
  std::function<std::optional<FileRange>()> next_range;
  bool past_page_cache;
  std::uint64_t room;  // of the largest range
  OpenFiles files;     // the reading thread's

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Loaded> free, loaded;
  std::exception_ptr failure;
  bool stopping = false;
  BackgroundThread reader;

  Ring(std::function<std::optional<FileRange>()> source, const ReadAheadOptions& options)
      : next_range(std::move(source)),
        past_page_cache(options.past_page_cache),
        room(BulkFile::room_for(options.largest_range)),
        free(std::max<std::uint64_t>(options.least_ranges, options.memory / room)) {
    reader = BackgroundThread("the thread that reads ahead", [this] { read_all(); });
  }

  ~Ring() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    changed.notify_all();
  }

  void read_all() {
    try {
      while (const std::optional<FileRange> range = next_range()) {
        if (!read(*range)) return;
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
      changed.notify_all();
    }
  }

  /// False when the consumer has gone.
  bool read(const FileRange& range) {
    Loaded slot;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return stopping || !free.empty(); });
      if (stopping) return false;
      slot = std::move(free.front());
      free.pop_front();
    }
    const auto start = Clock::now();
    slot.range = range;
    load(slot);
    slot.read_seconds = seconds_since(start);
    const std::lock_guard lock(mutex);
    loaded.push_back(std::move(slot));
    changed.notify_all();
    return true;
  }

  void load(Loaded& slot) {
    const auto [source, offset, bytes] = slot.range;
    if (slot.buffer.bytes().empty()) slot.buffer = PageBuffer(room);
    if (past_page_cache) {
      slot.bytes = files.of(*source).read(offset, bytes, slot.buffer.bytes());
    } else {
      source->read(offset, slot.buffer.bytes().first(bytes));
      slot.bytes = slot.buffer.bytes().first(bytes);
    }
  }
};

std::uint64_t preferred_range(unsigned threads) {
  return std::clamp<std::uint64_t>(threads, 2, 8) * 2 * mebibyte;
}

ReadAhead::ReadAhead(std::function<std::optional<FileRange>()> next_range, const ReadAheadOptions& options)
    : ring_(std::make_unique<Ring>(std::move(next_range), options)) {}

ReadAhead::~ReadAhead() = default;

ReadAhead::Loaded ReadAhead::take() {
  std::unique_lock lock(ring_->mutex);
  ring_->changed.wait(lock, [&] { return !ring_->loaded.empty() || ring_->failure; });
  if (ring_->loaded.empty()) std::rethrow_exception(ring_->failure);
  Loaded loaded = std::move(ring_->loaded.front());
  ring_->loaded.pop_front();
  return loaded;
}

/// The buffer used last comes first: as few as reading ahead needs are ever touched, and those are in the
/// cache.
void ReadAhead::give_back(Loaded loaded) {
  const std::lock_guard lock(ring_->mutex);
  ring_->free.push_front(std::move(loaded));
  ring_->changed.notify_all();
}

}  // namespace moescope
