#pragma once
/// How each weight moved through a series: the weight pass. Tensor outer, checkpoint inner: every stored byte
/// is read once, and nothing larger than a few blocks is ever in memory, but for a matrix that is stored
/// transposed.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "analysis/machine/parallel.h"
#include "analysis/weights/weight_trajectory.h"
#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/model/weight.h"

namespace moescope {

/// One checkpoint of a series, opened. Neither pointer is null.
struct CheckpointWeights {
  const Checkpoint* checkpoint = nullptr;
  const ModelWeights* weights = nullptr;
};

/// Some of the weights of ModelWeights::all(), by their numbers.
struct WeightRange {
  std::size_t begin = 0, end = 0;
};

/// The share of a part of the weights, by bytes: parts 0 to count - 1 follow each other and have all weights.
WeightRange part_of_weights(std::span<const Weight> weights, std::size_t part, std::size_t count);

struct WeightPassOptions {
  std::uint64_t memory = 0;  // bytes; a budget
  bool sketches = true;      // made of each weight at each checkpoint
};

/// Calls `sink` with the trajectory of each weight in `range`, on the calling thread, in the order of
/// ModelWeights::all().
/// Stored elements are expanded to float exactly; D_i = W_(i+1) - W_i and all products and sums are doubles,
/// accurate to 1e-12 relative to the product of the norms. The numbers depend on the elements alone: not on
/// the threads of `pool`, not on the memory (there is a least below which it is exceeded, see
/// weight_pass_bytes), not on the storage layout: sketches and sums follow the order of rows. Bytes are read
/// ahead, past the page cache where they would not fit it. What `sink` throws ends the pass. Throws
/// FormatError when the checkpoints do not have the same weights, std::system_error when reading fails.
void trace_weights(std::span<const CheckpointWeights> series, WeightRange range, ThreadPool& pool,
                   const WeightPassOptions& options,
                   const std::function<void(const WeightTrajectory&)>& sink);

/// Peak memory of trace_weights, without the record: for these checkpoints, one at least, as they store their
/// weights. No pointer is null.
std::uint64_t weight_pass_bytes(std::span<const ModelWeights* const> series, unsigned threads,
                                std::uint64_t memory_budget);

}  // namespace moescope
