#pragma once
/// Writes the weight pass into the run file.

#include <vector>

#include "analysis/weight_trajectory.h"
#include "readers/run_file.h"

namespace moescope {

/// Collects W trajectories of C checkpoints (a few hundred bytes for each weight and pair) and writes them at
/// once.
class WeightRecorder {
 public:
  WeightRecorder(std::size_t checkpoints, std::size_t weights);
  /// Any order, each weight once.
  void add(const WeightTrajectory& trajectory);
  /// The run file's /weights datasets must have been defined.
  void write(RunFile& run) const;

 private:
  std::size_t checkpoints_, weights_;
  std::vector<double> norm_, mean_, std_, max_abs_;  // (C, W)
  std::vector<std::int64_t> nonfinite_count_;        // (C, W)
  std::vector<double> inner_product_;                // (W, C, C)
  std::vector<double> delta_inner_product_;          // (W, C-1, C-1)
  std::vector<double> relative_drift_, cosine_;      // (C, C, W)
};

}  // namespace moescope
