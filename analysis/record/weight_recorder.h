#pragma once
/// Writes the weight pass into the run file.

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/weights/weight_trajectory.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// The levels of /weights/magnitude_quantile.
std::span<const double> recorded_probabilities();
/// The smallest step count, by size, of every bin of /weights/step_histogram.
std::vector<std::int64_t> recorded_step_bins();

/// Takes the trajectories of W weights at C checkpoints, in order, and writes them some hundred at a time.
class WeightRecorder {
 public:
  /// The run file's /weights datasets must have been defined; those of sketches may be absent. `run` must
  /// outlive this. `counted`: the magnitude_counts() of the weights that were recorded before, if any were.
  WeightRecorder(RunFile& run, std::size_t checkpoints, std::vector<std::int64_t> counted = {});
  /// Peak memory.
  static std::uint64_t bytes(std::size_t checkpoints, std::size_t weights);
  /// Of magnitude_counts().
  static std::size_t magnitude_count_size(std::size_t checkpoints);

  void add(const WeightTrajectory& trajectory);
  /// Everything about the weights added so far, except for the counts by role.
  void write();
  /// Of all weights so far, by role: (C, roles, 32,768). What stands for all roles is 0 until finish().
  const std::vector<std::int64_t>& magnitude_counts() const { return magnitude_counts_; }
  /// The rest. Call once, after the last weight.
  void finish();

 private:
  /// One weight, as it is recorded.
  struct Row {
    std::vector<WeightStats> stats;  // (C)
    std::vector<double> quantiles;   // (C, P)
    WeightInnerProducts products;
    std::vector<double> drift, cosine;   // (C, C)
    std::vector<Bfloat16Steps> steps;    // (C-1)
    std::vector<WeightSketch> sketches;  // (C), or none
  };

  void count_magnitudes(const WeightTrajectory& trajectory, Row& row);
  /// (32,768)
  std::int64_t* counts_of(std::size_t checkpoint, std::size_t role);
  void add_totals();
  void write_checkpoints();
  void write_pairs();
  void write_steps();
  template <class T, class AppendValue>
  void write_rows(Dataset<T> dataset, std::size_t leading, std::size_t inner, AppendValue append);

  RunFile& run_;
  std::size_t checkpoints_;
  bool with_sketches_;
  std::vector<std::int64_t> magnitude_counts_;
  std::size_t first_ = 0;  // weight of the first row
  std::vector<Row> rows_;
};

}  // namespace moescope
