#pragma once
/// Reads weights ahead of the computation, within a memory budget.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "analysis/kernels/matrix_product.h"
#include "analysis/machine/interruption.h"
#include "analysis/machine/read_ahead.h"
#include "readers/checkpoint/checkpoint.h"
#include "readers/model/weight.h"

namespace moescope {

/// Of weights in memory at once. More does not make reading any smoother.
inline constexpr std::uint64_t most_weight_bytes = 64ull << 20;

struct WeightStreamOptions {
  std::uint64_t memory = most_weight_bytes;        // bytes of weights in memory at once, at least two tiles
  const std::atomic<bool>* interrupted = nullptr;  // checked at every tile
  /// Of bytes taken since the last call; on the consumer's thread.
  std::function<void(std::uint64_t bytes)> progress = nullptr;
  /// Whether to leave the page cache as it is; by default if the checkpoint outgrows it.
  std::optional<bool> past_page_cache = std::nullopt;
  unsigned threads = 1;  // that work on a tile together
};

/// What reading the weights taken so far cost. Waiting is reading that computing did not hide.
struct StreamTimes {
  std::uint64_t bytes = 0;
  double read_seconds = 0;  // in the reading thread
  double wait_seconds = 0;  // of the consumer

  StreamTimes& operator+=(const StreamTimes& other) {
    bytes += other.bytes;
    read_seconds += other.read_seconds;
    wait_seconds += other.wait_seconds;
    return *this;
  }
};

/// Streams `order` once, from first to last, the scales of a quantised weight before it, in tiles of whole
/// rows (a multiple of row_block, except at a matrix's end), on a thread of its own. The consumer takes the
/// weights in the same order. Not thread-safe: one consumer.
class WeightStream {
 public:
  WeightStream(const Checkpoint& checkpoint, std::vector<const Weight*> order, WeightStreamOptions options);
  ~WeightStream();

  /// Calls `use` for each tile of `weight`, rows ascending; a tile's bytes are valid during the call. The
  /// weight must be the next of `order`, the same object: else std::logic_error names both. Throws what
  /// reading threw (std::system_error), or Interrupted.
  void take(const Weight& weight, const std::function<void(const WeightTile&)>& use);
  /// The whole weight as float32, row-major; for vectors and routers.
  std::vector<float> take_values(const Weight& weight);
  /// Passes over a weight that is not needed.
  void skip(const Weight& weight);

  const StreamTimes& times() const { return times_; }

 private:
  void require_next(const Weight& weight);
  void take_range(const std::function<void(std::span<const std::byte>)>& use);

  std::vector<const Weight*> order_;
  std::size_t next_ = 0;  // in order_
  std::uint64_t tile_bytes_;
  std::unique_ptr<ReadAhead> reader_;
  WeightStreamOptions options_;
  StreamTimes times_;
};

}  // namespace moescope
