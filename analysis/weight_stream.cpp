#include "analysis/weight_stream.h"

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <span>

#include "analysis/clock.h"
#include "analysis/element_convert.h"
#include "analysis/memory_budget.h"
#include "analysis/parallel.h"
#include "readers/bulk_file.h"

namespace moescope {
namespace {

/// Large enough for sequential reads at full speed, small enough that several fit a tight budget.
constexpr std::uint64_t preferred_tile_bytes = 16ull << 20;

/// Some rows of one weight, on their way from the file to the consumer.
struct Tile {
  const Weight* weight = nullptr;
  std::uint64_t first_row = 0, rows = 0;
  double read_seconds = 0;
  std::span<const std::byte> bytes;  // in `mapped` or in `buffer`
  MappedBytes mapped;
  PageBuffer buffer;  // kept from tile to tile

  std::uint64_t size() const { return rows * weight->row_bytes(); }
};

/// Rows per tile: as many blocks as fit, at least one.
std::uint64_t tile_rows(const Weight& weight, std::uint64_t tile_bytes) {
  const std::uint64_t blocks = tile_bytes / std::max<std::uint64_t>(1, weight.row_bytes() * row_block);
  return std::max<std::uint64_t>(1, blocks) * row_block;
}

/// The largest tile of any of these weights.
std::uint64_t largest_tile(std::span<const Weight* const> weights, std::uint64_t tile_bytes) {
  std::uint64_t largest = 0;
  for (const Weight* weight : weights) {
    largest = std::max(largest, std::min(tile_rows(*weight, tile_bytes), weight->rows) * weight->row_bytes());
  }
  return largest;
}

}  // namespace

/// Tiles in a circle between the reading thread, which fills free ones, and the consumer.
struct WeightStream::Ring {
  const Checkpoint& checkpoint;
  std::vector<const Weight*> order;
  bool past_page_cache;  // a checkpoint that does not fit the page cache must not flush it either
  std::uint64_t tile_bytes, room = 0;  // of the largest tile

  // The reading thread's.
  std::optional<BulkFile> file;
  std::size_t open_shard = 0;

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Tile> free, loaded;
  std::exception_ptr failure;
  bool stopping = false, all_read = false;
  BackgroundThread reader;

  Ring(const Checkpoint& source, std::vector<const Weight*> weights, const WeightStreamOptions& options)
      : checkpoint(source),
        order(std::move(weights)),
        past_page_cache(options.past_page_cache.value_or(outgrows_page_cache(source.bytes()))),
        tile_bytes(std::min(preferred_tile_bytes, options.memory / 2)) {
    room = BulkFile::room_for(largest_tile(order, tile_bytes));
    free.resize(std::max<std::uint64_t>(2, options.memory / room));
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
        const std::uint64_t rows = tile_rows(*weight, tile_bytes);
        for (std::uint64_t row = 0; row < weight->rows; row += rows) {
          if (!read_tile(*weight, row, std::min(rows, weight->rows - row))) return;
        }
      }
      const std::lock_guard lock(mutex);
      all_read = true;
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
      changed.notify_all();
    }
  }

  /// False when the consumer has gone.
  bool read_tile(const Weight& weight, std::uint64_t first_row, std::uint64_t rows) {
    Tile tile;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return stopping || !free.empty(); });
      if (stopping) return false;
      tile = std::move(free.front());
      free.pop_front();
    }
    const auto start = Clock::now();
    tile.mapped = {};
    tile.weight = &weight;
    tile.first_row = first_row;
    tile.rows = rows;
    load(tile);
    tile.read_seconds = seconds_since(start);
    const std::lock_guard lock(mutex);
    loaded.push_back(std::move(tile));
    changed.notify_all();
    return true;
  }

  void load(Tile& tile) {
    const Weight& weight = *tile.weight;
    const SourceFile& shard = checkpoint.shards()[weight.shard];
    if (!file || open_shard != weight.shard) {
      file.emplace(shard);
      open_shard = weight.shard;
    }
    const std::uint64_t offset = weight.offset + tile.first_row * weight.row_bytes(), bytes = tile.size();
    if (file->is_cached(offset, bytes)) {
      tile.mapped = file->map(offset, bytes);
      tile.bytes = tile.mapped.bytes();
      if (!tile.bytes.empty()) {
        tile.buffer = {};  // a tile takes its memory once
        return;
      }
    }
    if (tile.buffer.bytes().empty()) tile.buffer = PageBuffer(room);
    if (past_page_cache) {
      tile.bytes = file->read_uncached(offset, bytes, tile.buffer.bytes());
    } else {
      shard.read(offset, tile.buffer.bytes().first(bytes));
      tile.bytes = tile.buffer.bytes().first(bytes);
    }
  }

  /// Of a mapped file that was cut short meanwhile, `use` may have seen zeros.
  void require_unshortened(const Tile& tile) const {
    if (tile.mapped.bytes().empty()) return;
    const Weight& weight = *tile.weight;
    const std::uint64_t offset = weight.offset + tile.first_row * weight.row_bytes();
    checkpoint.shards()[weight.shard].require_bytes(offset + tile.size());
  }

  Tile next() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !loaded.empty() || failure; });
    if (loaded.empty()) std::rethrow_exception(failure);
    Tile tile = std::move(loaded.front());
    loaded.pop_front();
    return tile;
  }

  /// The buffer used last comes first: as few as reading ahead needs are ever touched. To unmap a tile takes
  /// a while: the reading thread does it, as long as it is there.
  void release(Tile tile) {
    const std::lock_guard lock(mutex);
    if (all_read) tile.mapped = {};
    free.push_front(std::move(tile));
    changed.notify_all();
  }
};

WeightStream::WeightStream(const Checkpoint& checkpoint, std::vector<const Weight*> order,
                           WeightStreamOptions options)
    : options_(std::move(options)) {
  ring_ = std::make_unique<Ring>(checkpoint, std::move(order), options_);
}

WeightStream::~WeightStream() = default;

void WeightStream::take(const Weight& weight, const std::function<void(const WeightTile&)>& use) {
  for (std::uint64_t row = 0; row < weight.rows;) {
    if (options_.interrupted && *options_.interrupted) throw Interrupted{};
    const auto start = Clock::now();
    Tile tile = ring_->next();
    times_.wait_seconds += seconds_since(start);
    times_.read_seconds += tile.read_seconds;
    assert(tile.weight == &weight && tile.first_row == row);
    use({weight.dtype, tile.first_row, tile.rows, weight.cols, tile.bytes});
    ring_->require_unshortened(tile);
    const std::uint64_t bytes = tile.size();
    row += tile.rows;
    times_.bytes += bytes;
    ring_->release(std::move(tile));
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
