#pragma once
/// What an analysis has done, for those who asked for it.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "analysis/forward/forward.h"
#include "analysis/forward/weight_stream.h"
#include "analysis/record/telemetry.h"

namespace moescope {

struct AnalysisSummary {
  std::size_t checkpoints = 0, tokens = 0;
  std::size_t reused = 0;  // checkpoints whose forward pass an earlier, interrupted run had finished
  bool complete = false;   // false: interrupted, with everything finished kept
  ForwardTotals forward;   // of the passes of this run
  StreamTimes weights;
  std::size_t spectra = 0;          // matrices whose spectra this run measured
  std::uint64_t spectra_bytes = 0;  // read for them
  double spectra_seconds = 0;
  double seconds = 0;
  std::size_t forward_finished = 0;  // checkpoints whose forward pass is recorded
  std::size_t predictions = 0;       // tokens that have a loss
  /// By checkpoint: mean over all of them, NaN where there is no forward pass or any loss is not finite, and
  /// how many are not.
  std::vector<double> loss;
  std::vector<std::int64_t> nonfinite_losses;
};

}  // namespace moescope
