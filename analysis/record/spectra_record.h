#pragma once
/// Spectra in the run file: /weights/spectral_norm and its neighbours.

#include <cstddef>
#include <span>
#include <vector>

#include "analysis/weights/weight_spectra.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// Says in a new file what was chosen, and what chance would give.
void begin_spectra(RunFile& run, std::span<const Weight> weights, SpectraChoice choice);

/// Neighbours among the checkpoints of a series.
struct CheckpointRange {
  std::size_t begin = 0, end = 0;
};

/// All spectra of an analysis, C checkpoints of W tensors, most of which may have none.
class SpectraRecord {
 public:
  /// With what an earlier, interrupted analysis left in the file. `range`: the checkpoints that it is about.
  SpectraRecord(const RunFile& run, CheckpointRange range);
  /// Whether the spectra of a tensor are there, in the whole range; those of elements that are not finite,
  /// which are NaN, always are.
  bool contains(std::size_t index) const;
  /// Of the checkpoints of the range. Any order, each tensor once.
  void add(const MatrixSpectra& spectra);
  /// When the process dies meanwhile, what contains() finds afterwards is complete.
  void write(RunFile& run) const;

 private:
  CheckpointRange range_;
  std::size_t weights_ = 0;
  std::vector<std::int64_t> nonfinite_;             // (C, W): how many elements
  std::vector<std::vector<double>> by_checkpoint_;  // each (C, W), in the order of the datasets
  std::vector<std::vector<double>> by_step_;        // each (C-1, W)
};

}  // namespace moescope
