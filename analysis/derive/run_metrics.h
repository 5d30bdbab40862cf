#pragma once
/// From the raw record of a run file to its metrics.

#include "readers/run_file/run_file.h"

namespace moescope {

/// Defines and writes /metrics/NAME for every metric of the catalogue for which the run file, open for
/// update, has the record: those of a forward pass, those of a weight pass, or both. Missing values are NaN.
/// Metrics that are there already are computed again. Memory stays at a few slabs: of one checkpoint, or of
/// one layer.
void write_run_metrics(RunFile& run);

}  // namespace moescope
