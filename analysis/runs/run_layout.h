#pragma once
/// The shape of a run file for one analysis: its dimensions, its empty datasets, its provenance.

#include <filesystem>
#include <string>
#include <vector>

#include "analysis/runs/analysis_scope.h"
#include "analysis/runs/run_subject.h"
#include "readers/corpus/corpus.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// What a new run file begins with.
struct RunBeginning {
  std::filesystem::path file;
  std::string command_line;
  const AnalysisScope& scope;
  const RunSubject& subject;
  const Corpus& corpus;
  std::vector<std::string> notes;  // what is known before the first pass
};

/// A new run file with all dimensions, all datasets of the raw record that the scope asks for, and the
/// corpus; the metrics are left to write_run_metrics().
RunFile create_run(const RunBeginning& beginning);

/// Throws FormatError where the dimensions of an existing record do not have the sizes that create_run gives
/// them: layers, experts, tokens and domains of the analysis are places in it.
void require_layout(const RunFile& run, const AnalysisScope& scope, const RunSubject& subject,
                    const Corpus& corpus);

}  // namespace moescope
