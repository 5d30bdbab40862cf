#pragma once
/// The main job: a series of checkpoints and a corpus become a run file.

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "analysis/forward.h"
#include "analysis/run_recorder.h"
#include "analysis/spectra_choice.h"
#include "analysis/telemetry.h"
#include "readers/corpus.h"
#include "readers/series.h"

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
  std::vector<CorpusSource> corpus;  // may be empty without a forward pass
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

/// Told how far an analysis is; called on the analysing thread.
class AnalysisListener {
 public:
  virtual ~AnalysisListener() = default;
  /// `total_bytes` of weights will be read, by forward passes and the weight pass together.
  virtual void begin(std::uint64_t /*total_bytes*/) {}
  /// What is being done now, e.g. "05T: forward pass".
  virtual void stage(const std::string& /*label*/) {}
  virtual void advance(std::uint64_t /*bytes*/) {}
  /// Something the user should know that does not stop the analysis, of its inputs or its numbers: it is kept
  /// in the run file.
  virtual void note(const std::string& /*message*/) {}
  /// The same, of this process alone: it is not kept.
  virtual void remark(const std::string& message) { note(message); }
};

struct AnalysisSummary {
  std::size_t checkpoints = 0, tokens = 0;
  std::size_t reused = 0;  // checkpoints whose forward pass an earlier, interrupted run had finished
  bool complete = false;   // false: interrupted, with everything finished kept
  ForwardTotals forward;   // of the passes of this run
  StreamTimes weights;
  std::size_t spectra = 0;          // matrices whose spectra this run measured
  std::uint64_t spectra_bytes = 0;  // read for them
  double spectra_seconds = 0;
  double seconds = 0;
  std::size_t forward_finished = 0;  // checkpoints whose forward pass is recorded
  std::size_t predictions = 0;       // tokens that have a loss
  /// By checkpoint: mean over all of them, NaN where there is no forward pass or any loss is not finite, and
  /// how many are not.
  std::vector<double> loss;
  std::vector<std::int64_t> nonfinite_losses;
};

/// Validates every input before the first long computation. The run file lies at `output` from then on, whole
/// in its structure, with NaN where nothing is finished yet: at every moment, also after the process was
/// killed or the power failed, it opens and holds what is finished. A bookmark, OUTPUT.resume, tells where
/// the pass under way stands. Repeating the same analysis continues an unfinished one, to the same bytes, and
/// leaves a complete one as it is. One process at a time can write a run file (RunLock); others may read it.
/// Throws FormatError, UnsupportedModel, UsageError, std::system_error.
AnalysisSummary analyze_series(const AnalysisOptions& options, AnalysisListener& listener);

}  // namespace moescope
