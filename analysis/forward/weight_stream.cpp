#include "analysis/forward/weight_stream.h"

#include <algorithm>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "analysis/kernels/element_convert.h"
#include "analysis/machine/clock.h"
#include "analysis/machine/memory.h"
#include "analysis/machine/read_ahead.h"

namespace moescope {
namespace {

/// Rows per tile: as many blocks as fit, at least one; all of a transposed matrix.
std::uint64_t tile_rows(const Weight& weight, std::uint64_t tile_bytes) {
  if (weight.transposed) return weight.rows;
  const std::uint64_t blocks = tile_bytes / std::max<std::uint64_t>(1, weight.row_bytes() * row_block);
  return std::max<std::uint64_t>(1, blocks) * row_block;
}

/// The largest tile of any of these weights.
std::uint64_t largest_tile(std::span<const Weight* const> weights, std::uint64_t tile_bytes) {
  std::uint64_t largest = 0;
  for (const Weight* weight : weights) {
    largest = std::max({largest, weight->scale_bytes(),
                        std::min(tile_rows(*weight, tile_bytes), weight->rows) * weight->row_bytes()});
  }
  return largest;
}

/// The scales and tiles of all weights, in order.
class TileSequence {
 public:
  TileSequence(const Checkpoint& checkpoint, std::vector<const Weight*> order, std::uint64_t tile_bytes)
      : checkpoint_(&checkpoint), order_(std::move(order)), tile_bytes_(tile_bytes) {}

  std::optional<FileRange> operator()() {
    while (index_ < order_.size() && row_ >= order_[index_]->rows) {
      ++index_;
      row_ = 0;
      scales_are_next_ = true;
    }
    if (index_ == order_.size()) return {};
    const Weight& weight = *order_[index_];
    if (weight.scales && std::exchange(scales_are_next_, false))
      return FileRange{&checkpoint_->shards()[weight.scales->shard], weight.scales->offset,
                       weight.scale_bytes()};
    const std::uint64_t first = row_, rows = std::min(tile_rows(weight, tile_bytes_), weight.rows - first);
    row_ += rows;
    return FileRange{&checkpoint_->shards()[weight.shard], weight.offset + first * weight.row_bytes(),
                     rows * weight.row_bytes()};
  }

 private:
  const Checkpoint* checkpoint_;
  std::vector<const Weight*> order_;
  std::uint64_t tile_bytes_;
  std::size_t index_ = 0;
  std::uint64_t row_ = 0;
  bool scales_are_next_ = true;
};

}  // namespace

WeightStream::WeightStream(const Checkpoint& checkpoint, std::vector<const Weight*> order,
                           WeightStreamOptions options)
    : order_(std::move(order)),
      tile_bytes_(std::min(preferred_range(options.threads), options.memory / 2)),
      options_(std::move(options)) {
  ReadAheadOptions reading;
  reading.largest_range = largest_tile(order_, tile_bytes_);
  reading.memory = options_.memory;
  reading.past_page_cache = options_.past_page_cache.value_or(outgrows_page_cache(checkpoint.bytes()));
  reader_ = std::make_unique<ReadAhead>(TileSequence(checkpoint, order_, tile_bytes_), reading);
}

WeightStream::~WeightStream() = default;

// Another weight's bytes may have the shape that is wanted: nothing else would tell.
void WeightStream::require_next(const Weight& weight) {
  if (next_ < order_.size() && order_[next_] == &weight) {
    ++next_;
    return;
  }
  const std::string next = next_ < order_.size() ? "'" + order_[next_]->name + "' is next" : "none is left";
  throw std::logic_error("weights are taken in another order than they arrive: '" + weight.name +
                         "' is wanted, but " + next);
}

/// Hands the next range's bytes to `use`.
void WeightStream::take_range(const std::function<void(std::span<const std::byte>)>& use) {
  if (options_.interrupted && *options_.interrupted) throw Interrupted{};
  const auto start = Clock::now();
  ReadAhead::Loaded loaded = reader_->take();
  times_.wait_seconds += seconds_since(start);
  times_.read_seconds += loaded.read_seconds;
  use(loaded.bytes);
  const std::uint64_t bytes = loaded.range.bytes;
  reader_->give_back(std::move(loaded));
  times_.bytes += bytes;
  if (options_.progress) options_.progress(bytes);
}

void WeightStream::take(const Weight& weight, const std::function<void(const WeightTile&)>& use) {
  require_next(weight);
  BlockScales scales;
  if (weight.scales)
    take_range([&](std::span<const std::byte> bytes) {
      scales = read_block_scales(*weight.scales, weight.rows, weight.cols, bytes);
    });
  const std::uint64_t most_rows = tile_rows(weight, tile_bytes_);
  for (std::uint64_t row = 0; row < weight.rows; row += most_rows) {
    take_range([&](std::span<const std::byte> bytes) {
      use({weight.dtype, row, std::min(most_rows, weight.rows - row), weight.cols, bytes,
           scales.empty() ? nullptr : &scales, weight.transposed});
    });
  }
}

std::vector<float> WeightStream::take_values(const Weight& weight) {
  std::vector<float> values(weight.size());
  take(weight, [&](const WeightTile& tile) {
    convert_to_float(tile,
                     std::span(values).subspan(tile.first_row * tile.columns, tile.rows * tile.columns));
  });
  return values;
}

void WeightStream::skip(const Weight& weight) {
  take(weight, [](const WeightTile&) {});
}

}  // namespace moescope
