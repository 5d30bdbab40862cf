#pragma once
/// The main job: a series of checkpoints and a corpus become a run file.

#include "analysis/runs/analysis_listener.h"
#include "analysis/runs/analysis_options.h"
#include "analysis/runs/analysis_summary.h"
#include "analysis/runs/opened_series.h"

namespace moescope {

/// Validates every input before the first long computation. The run file lies at `output` from then on, whole
/// in its structure, with NaN where nothing is finished yet: at every moment, also after the process was
/// killed or the power failed, it opens and holds what is finished. A bookmark, OUTPUT.resume, tells where
/// the pass under way stands. Repeating the same analysis continues an unfinished one, to the same bytes, and
/// leaves a complete one as it is. One process at a time can write a run file (RunLock); others may read it.
/// Throws FormatError, UnsupportedModel, UsageError, std::system_error.
AnalysisSummary analyze_series(const AnalysisOptions& options, AnalysisListener& listener);
/// The same of a series that is open already, whatever options.inputs says of checkpoints. It must not be
/// changed meanwhile.
AnalysisSummary analyze_series(const AnalysisOptions& options, const OpenedSeries& series,
                               AnalysisListener& listener);

}  // namespace moescope
