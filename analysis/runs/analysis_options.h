#pragma once
/// What an analysis is asked for.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "analysis/runs/analysis_scope.h"
#include "analysis/runs/opened_series.h"
#include "readers/checkpoint/series.h"
#include "readers/corpus/corpus.h"
#include "readers/corpus/corpus_source.h"

namespace moescope {

/// What it is about.
struct AnalysisInputs {
  std::vector<SeriesEntry> series;
  std::vector<std::string> notes;    // of find_series()
  std::vector<CorpusSource> corpus;  // may be empty without a forward pass
  CorpusOptions corpus_options;
  std::filesystem::path recorded_corpus;        // a run file whose texts are taken instead
  std::vector<std::string> recorded_elsewhere;  // checkpoints whose forward passes and spectra are not wanted
};

/// What may be used for it; no number depends on that.
struct AnalysisResources {
  unsigned threads = 0;               // 0: one per processor
  std::uint64_t memory = 0;           // bytes; 0: default_memory_budget()
  double seconds_between_saves = 60;  // inside a pass: so much work, and a layer's, is lost at most
  const std::atomic<bool>* interrupted = nullptr;
};

/// Where its run file lies, and what becomes of one that is there.
struct AnalysisOutput {
  std::filesystem::path file;
  bool overwrite = false;    // replace a run file that holds another analysis
  bool resume = false;       // refuse to begin anew
  std::string command_line;  // recorded
};

struct AnalysisOptions {
  AnalysisInputs inputs;
  AnalysisScope scope;
  AnalysisResources resources;
  AnalysisOutput output;
};

}  // namespace moescope
