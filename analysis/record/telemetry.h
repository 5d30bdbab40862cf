#pragma once
/// What the passes of an analysis cost, in the run file's group /io (data/run_format.md): the one group that
/// the same inputs do not reproduce. Files of earlier versions lack it; nothing is written there.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "analysis/forward/forward.h"
#include "analysis/forward/forward_cost.h"
#include "readers/model/model_config.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// Forward passes as a whole: one, or several together.
struct ForwardTotals {
  std::size_t passes = 0;
  PartTimes times;          // of all parts
  double flops = 0;         // of all parts
  double wall_seconds = 0;  // from the starts of the passes to their ends

  double overlap_efficiency() const;
  double flops_per_second() const { return flops / wall_seconds; }
  ForwardTotals& operator+=(const ForwardTotals& other);
};

/// One pass. `cost` is for the same parts as `times`.
ForwardTotals forward_totals(const ForwardTimes& times, std::span<const PartCost> cost, double wall_seconds);

/// The labels of pass_part: the parts in the order of forward_cost.
std::vector<std::string> pass_part_names(const ModelConfig& config);

/// One checkpoint's forward pass.
void write_forward_telemetry(RunFile& run, std::size_t checkpoint, const ForwardTimes& times,
                             std::span<const PartCost> cost, double wall_seconds);

/// The weight pass over all checkpoints. bytes (C): read of each of them.
void write_weight_telemetry(RunFile& run, std::span<const std::int64_t> bytes, double wall_seconds);

/// The spectra of all checkpoints. bytes (C): of the chosen matrices of each of them.
void write_spectra_telemetry(RunFile& run, std::span<const std::int64_t> bytes, double wall_seconds);

}  // namespace moescope
