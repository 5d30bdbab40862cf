#pragma once
/// The shape of a run file for one analysis: its dimensions, its empty datasets, its provenance.

#include "analysis/runs/analysis_options.h"
#include "analysis/runs/run_identity.h"
#include "analysis/runs/run_subject.h"
#include "readers/corpus/corpus.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// A new run file with all dimensions, all datasets of the raw record that `options` ask for, and the corpus;
/// the metrics are left to write_run_metrics(). `notes`: what is known before the first pass.
RunFile create_run(const std::filesystem::path& path, const AnalysisOptions& options,
                   const RunSubject& subject, const Corpus& corpus, const RunIdentity& identity,
                   const std::vector<std::string>& notes);

/// Throws FormatError where the dimensions of an existing record do not have the sizes that create_run gives
/// them: layers, experts, tokens and domains of the analysis are places in it.
void require_layout(const RunFile& run, const RunSubject& subject, const Corpus& corpus);

/// Only the datasets of the weight pass.
void define_weights(RunFile& run, std::span<const Weight> weights, std::size_t checkpoints, bool sketches);

}  // namespace moescope
