#pragma once
/// The inner products that a weight pass left in a run file, a few hundred tensors at a time.

#include <span>
#include <vector>

#include "metrics/weights/weight_drift.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// So many tensors at once: a few megabytes even of many checkpoints.
inline constexpr std::uint64_t tensors_at_once = 512;

/// Of tensors `first` and following.
struct RecordedProducts {
  std::uint64_t first = 0, count = 0;
  std::size_t checkpoints = 0;      // C
  std::vector<double> inner;        // (count, C, C)
  std::vector<double> delta_inner;  // (count, C-1, C-1); empty for one checkpoint
  /// (count, C, C): norm(W_t - W_s)² that were recorded as drift where steps do not tell; empty where all do.
  std::vector<double> squared_distance = {};

  /// With all that is known of the distances.
  WeightInnerProducts of(std::uint64_t tensor) const;
  std::span<const double> inner_of(std::uint64_t tensor) const {
    const std::size_t size = checkpoints * checkpoints;
    return std::span(inner).subspan((tensor - first) * size, size);
  }
  std::span<const double> delta_inner_of(std::uint64_t tensor) const {
    const std::size_t size = (checkpoints - 1) * (checkpoints - 1);
    return std::span(delta_inner).subspan((tensor - first) * size, size);
  }
};
RecordedProducts read_products(const RunFile& run, std::uint64_t first, std::uint64_t count);

}  // namespace moescope
