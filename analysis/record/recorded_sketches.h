#pragma once
/// The sketches that a weight pass left in a run file, a few hundred tensors at a time.

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/weights/expert_sketches.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// Of tensors `first` and following, at C checkpoints.
struct RecordedSketches {
  std::uint64_t first = 0, count = 0, checkpoints = 0;
  std::vector<float> values;  // (C, count, sketch_size)

  /// (sketch_size)
  std::span<const float> of(std::uint64_t checkpoint, std::uint64_t tensor) const;
  /// (C): a tensor at all checkpoints.
  std::vector<std::span<const float>> of(std::uint64_t tensor) const;
};
RecordedSketches read_sketches(const RunFile& run, std::uint64_t first, std::uint64_t count);

/// The same as ExpertSketches takes them, of a finished weight pass; empty if it made none. `run` must
/// outlive it.
SketchReader sketches_of(const RunFile& run);

}  // namespace moescope
