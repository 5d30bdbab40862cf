#pragma once
/// Writes the weight pass into the run file.

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/weight_trajectory.h"
#include "readers/run_file.h"

namespace moescope {

/// The levels of /weights/magnitude_quantile.
std::span<const double> recorded_probabilities();
/// The smallest step count, by size, of every bin of /weights/step_histogram.
std::vector<std::int64_t> recorded_step_bins();

/// Takes the trajectories of W weights at C checkpoints, in order. What is large is written on the way, the
/// rest (some hundred bytes for each weight and pair) at the end.
class WeightRecorder {
 public:
  /// The run file's /weights datasets must have been defined; those of sketches may be absent. `run` must
  /// outlive this.
  WeightRecorder(RunFile& run, std::size_t checkpoints, std::size_t weights);
  /// Peak memory.
  static std::uint64_t bytes(std::size_t checkpoints, std::size_t weights);
  void add(const WeightTrajectory& trajectory);
  void finish();

 private:
  void add_statistics(const WeightTrajectory& trajectory);
  void add_pairs(const WeightTrajectory& trajectory);
  void add_counts(const WeightTrajectory& trajectory);
  void write_batch();

  RunFile& run_;
  std::size_t checkpoints_, weights_;
  std::vector<std::vector<double>> values_;        // by statistic, (C, W)
  std::vector<std::vector<std::int64_t>> counts_;  // by count, (C, W)
  std::vector<double> magnitude_quantile_;         // (C, W, P)
  std::vector<double> inner_product_;              // (W, C, C)
  std::vector<double> delta_inner_product_;        // (W, C-1, C-1)
  std::vector<double> relative_drift_, cosine_;    // (C, C, W)
  std::vector<double> fraction_changed_;           // (C-1, W)
  std::vector<Bfloat16Histogram> of_roles_;        // (C, roles)
  bool with_sketches_;
  std::size_t written_ = 0, added_ = 0;              // weights
  std::vector<std::vector<WeightSketch>> sketches_;  // of those between: (C) each
  std::vector<std::vector<Bfloat16Steps>> steps_;    // the same: (C-1) each
};

}  // namespace moescope
