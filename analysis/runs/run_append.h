#pragma once
/// A checkpoint that arrives later joins the run file of those before it.

#include <filesystem>

#include "analysis/runs/analysis_listener.h"
#include "analysis/runs/analysis_options.h"
#include "analysis/runs/analysis_summary.h"
#include "analysis/runs/series_analysis.h"

namespace moescope {

/// Adds the checkpoints of `options.inputs` to the run file of `options.output`, which must be complete, with
/// the texts and the options that it records; of `options`, only the resources, the command line and
/// the version count. Forward passes that are recorded are not run again. Checkpoints that are still there
/// as they were are read once more, for the weight pass to compare them with the new ones exactly; of those
/// that were deleted, the record and the sketches stay. Until everything is finished the work lies in
/// OUTPUT.append, and OUTPUT stays as it is; repeating the same command goes on. Throws as analyze_series
/// does.
AnalysisSummary append_checkpoints(const AnalysisOptions& options, AnalysisListener& listener);

}  // namespace moescope
