#pragma once
/// What changed between two checkpoints that are in no run file yet.

#include <filesystem>
#include <optional>

#include "analysis/comparison/run_comparison.h"
#include "analysis/runs/analysis_listener.h"
#include "analysis/runs/analysis_options.h"
#include "analysis/runs/series_analysis.h"

namespace moescope {

/// Two checkpoints are a short series: analysed like any other, into a run file that nobody keeps. Of
/// `options`, the corpus (without one, weights alone are compared), precision, resources and version
/// count. Where one has more tokens in its vocabulary, the rows of the embedding and the head that both have
/// are compared, and a note says so; losses are those of the whole models. Empty when it was interrupted.
/// Throws what analyze_series() throws.
std::optional<RunComparison> compare_checkpoints(const std::filesystem::path& before,
                                                 const std::filesystem::path& after, AnalysisOptions options,
                                                 AnalysisListener& listener);

}  // namespace moescope
