#pragma once
/// What an analysis is asked for.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "analysis/forward/forward.h"
#include "analysis/record/forward_recorder.h"
#include "analysis/weights/spectra_choice.h"
#include "readers/checkpoint/series.h"
#include "readers/corpus/corpus.h"
#include "readers/corpus/corpus_source.h"

namespace moescope {

/// A share of an analysis that is divided among several jobs.
struct AnalysisPart {
  std::size_t index = 0, count = 1;  // index < count

  bool is_whole() const { return count == 1; }
  std::string name() const;  // "1/4" of the first of four
  /// Whether the part has item number `i`: every count-th.
  bool has(std::size_t i) const { return i % count == index; }
};

struct AnalysisOptions {
  std::vector<SeriesEntry> series;
  std::vector<std::string> series_notes;  // of find_series()
  std::vector<CorpusSource> corpus;       // may be empty without a forward pass
  CorpusOptions corpus_options;
  std::filesystem::path recorded_corpus;        // a run file whose texts are taken instead
  std::vector<std::string> recorded_elsewhere;  // checkpoints whose forward passes and spectra are not wanted
  std::filesystem::path output;
  bool overwrite = false;                         // replace a run file that holds another analysis
  bool forward = true;                            // run the model on the corpus
  bool weights = true;                            // compare the weights of all checkpoints
  SpectraChoice spectra = SpectraChoice::sample;  // of which weights
  bool sketches = true;                           // record sketches of the weights, for checkpoints to come
  RecordOptions save;
  AnalysisPart part;
  bool resume = false;                 // refuse to begin anew
  double seconds_between_saves = 60;   // inside a pass: so much work, and a layer's, is lost at most
  std::optional<Precision> precision;  // absent: bf16 if the weights are BF16, else f32
  unsigned threads = 0;                // 0: one per processor
  std::uint64_t memory = 0;            // bytes; 0: default_memory_budget()
  std::string command_line;            // recorded in the run file
  std::string version;                 // of moescope, recorded
  const std::atomic<bool>* interrupted = nullptr;
};

}  // namespace moescope
