#pragma once
/// The shape of a run file for one analysis: its dimensions, its empty datasets, its provenance.

#include <map>
#include <string>

#include "analysis/opened_series.h"
#include "analysis/series_analysis.h"
#include "readers/corpus.h"
#include "readers/run_file.h"

namespace moescope {

/// Everything on which the numbers of a run depend, in words: two analyses with equal identities give the
/// same bytes. Stored as attributes of /status; a run is continued only where all are equal.
using RunIdentity = std::map<std::string, std::string>;
RunIdentity run_identity(const AnalysisOptions& options, const OpenedSeries& series, const Corpus& corpus,
                         Precision precision);

/// What differs between the run file's identity and `identity`, e.g. "corpus"; empty: the same analysis.
std::string identity_difference(const RunFile& run, const RunIdentity& identity);

/// A new run file with all dimensions and all datasets of the raw record that `options` ask for, and the
/// corpus.
RunFile create_run(const std::filesystem::path& path, const AnalysisOptions& options,
                   const OpenedSeries& series, const Corpus& corpus, const RunIdentity& identity);

/// "f32" or "bf16".
std::string precision_name(Precision precision);

/// Only the datasets of the weight pass.
void define_weights(RunFile& run, std::span<const Weight> weights, std::size_t checkpoints, bool sketches);

}  // namespace moescope
