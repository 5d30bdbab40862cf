#include "analysis/weight_stream.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>

#include "analysis/element_convert.h"
#include "analysis/memory_budget.h"
#include "analysis/parallel.h"

namespace moescope {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Large enough for sequential reads at full speed, small enough that several fit a tight budget.
constexpr std::uint64_t preferred_tile_bytes = 16ull << 20;

/// One read: some rows of one weight, and, once read, their bytes.
struct LoadedTile {
  const Weight* weight = nullptr;
  std::uint64_t first_row = 0, rows = 0;
  std::vector<std::byte> bytes;
};

/// Rows per tile: as many blocks as fit, at least one.
std::uint64_t tile_rows(const Weight& weight, std::uint64_t tile_bytes) {
  const std::uint64_t blocks = tile_bytes / std::max<std::uint64_t>(1, weight.row_bytes() * row_block);
  return std::max<std::uint64_t>(1, blocks) * row_block;
}

}  // namespace

/// A queue of loaded tiles, bounded by bytes, between the reading thread and the consumer.
struct WeightStream::Ring {
  const Checkpoint& checkpoint;
  std::vector<const Weight*> order;
  std::uint64_t memory;
  bool forget_pages;  // a checkpoint that does not fit the page cache must not flush it either

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<LoadedTile> loaded;
  std::uint64_t bytes_held = 0;  // loaded, or in use by the consumer
  std::exception_ptr failure;
  double read_seconds = 0;
  bool stopping = false;
  BackgroundThread reader;

  Ring(const Checkpoint& source, std::vector<const Weight*> weights, std::uint64_t budget)
      : checkpoint(source),
        order(std::move(weights)),
        memory(budget),
        forget_pages(outgrows_page_cache(source.bytes())) {
    reader = BackgroundThread([this] { read_all(); });
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
      for (const Weight* weight : order) {
        const std::uint64_t rows = tile_rows(*weight, std::min(preferred_tile_bytes, memory / 2));
        for (std::uint64_t row = 0; row < weight->rows; row += rows) {
          if (!read_tile(*weight, row, std::min(rows, weight->rows - row))) return;
        }
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
      changed.notify_all();
    }
  }

  /// False when the consumer has gone.
  bool read_tile(const Weight& weight, std::uint64_t first_row, std::uint64_t rows) {
    const std::uint64_t bytes = rows * weight.row_bytes();
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return stopping || bytes_held == 0 || bytes_held + bytes <= memory; });
      if (stopping) return false;
      bytes_held += bytes;
    }
    LoadedTile tile{&weight, first_row, rows, std::vector<std::byte>(bytes)};
    const auto start = Clock::now();
    const SourceFile& shard = checkpoint.shards()[weight.shard];
    const std::uint64_t offset = weight.offset + first_row * weight.row_bytes();
    shard.read(offset, tile.bytes);
    if (forget_pages) shard.forget(offset, bytes);
    const std::lock_guard lock(mutex);
    read_seconds += seconds_since(start);
    loaded.push_back(std::move(tile));
    changed.notify_all();
    return true;
  }

  LoadedTile next() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !loaded.empty() || failure; });
    if (loaded.empty()) std::rethrow_exception(failure);
    LoadedTile tile = std::move(loaded.front());
    loaded.pop_front();
    return tile;
  }

  void release(std::uint64_t bytes) {
    const std::lock_guard lock(mutex);
    bytes_held -= bytes;
    changed.notify_all();
  }
};

WeightStream::WeightStream(const Checkpoint& checkpoint, std::vector<const Weight*> order,
                           WeightStreamOptions options)
    : options_(std::move(options)) {
  ring_ = std::make_unique<Ring>(checkpoint, std::move(order), options_.memory);
}

WeightStream::~WeightStream() = default;

StreamTimes WeightStream::times() const {
  StreamTimes times = taken_;
  const std::lock_guard lock(ring_->mutex);
  times.read_seconds = ring_->read_seconds;
  return times;
}

void WeightStream::take(const Weight& weight, const std::function<void(const WeightTile&)>& use) {
  for (std::uint64_t row = 0; row < weight.rows;) {
    if (options_.interrupted && *options_.interrupted) throw Interrupted{};
    const auto start = Clock::now();
    LoadedTile tile = ring_->next();
    taken_.wait_seconds += seconds_since(start);
    assert(tile.weight == &weight && tile.first_row == row);
    use({weight.dtype, tile.first_row, tile.rows, weight.cols, tile.bytes});
    const std::uint64_t bytes = tile.bytes.size();
    tile.bytes = {};
    ring_->release(bytes);
    row += tile.rows;
    taken_.bytes += bytes;
    if (options_.progress) options_.progress(bytes);
  }
}

std::vector<float> WeightStream::take_values(const Weight& weight) {
  std::vector<float> values(weight.size());
  take(weight, [&](const WeightTile& tile) {
    convert_to_float(tile.dtype, tile.bytes,
                     std::span(values).subspan(tile.first_row * tile.columns, tile.rows * tile.columns));
  });
  return values;
}

void WeightStream::skip(const Weight& weight) {
  take(weight, [](const WeightTile&) {});
}

}  // namespace moescope
