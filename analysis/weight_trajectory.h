#pragma once
/// How each weight moved through a series: the weight pass. Tensor outer, checkpoint inner: every stored byte
/// is read once, and nothing larger than a few blocks is ever in memory.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "analysis/parallel.h"
#include "metrics/weight_drift.h"
#include "metrics/weight_stats.h"
#include "readers/checkpoint.h"
#include "readers/tensor_roles.h"

namespace moescope {

/// One checkpoint of a series, opened. Neither pointer is null.
struct CheckpointWeights {
  const Checkpoint* checkpoint = nullptr;
  const ModelWeights* weights = nullptr;
};

/// One weight at C checkpoints.
struct WeightTrajectory {
  std::size_t index = 0;           // in ModelWeights::all()
  const Weight* weight = nullptr;  // as the first checkpoint stores it
  WeightInnerProducts products;    // a non-finite element makes those it takes part in NaN or infinite
  std::vector<WeightStats> stats;  // (C); non-finite elements counted and left out
};

/// Calls `sink` with each weight's trajectory, on the calling thread, in the order of ModelWeights::all().
/// Stored elements are expanded to float exactly; D_i = W_(i+1) - W_i and all products and sums are doubles,
/// accurate to 1e-12 relative to the product of the norms. The numbers depend on the elements alone: not on
/// the threads of `pool`, not on `memory_budget` (bytes for buffers; one block of 1,024 elements a checkpoint
/// and thread is the least), not on the storage layout. What `sink` throws ends the pass. Throws FormatError
/// when the checkpoints do not have the same weights, std::system_error when reading fails.
void trace_weights(std::span<const CheckpointWeights> series, ThreadPool& pool, std::uint64_t memory_budget,
                   const std::function<void(const WeightTrajectory&)>& sink);

}  // namespace moescope
