#pragma once
/// The three long stages of an analysis: the forward pass of each checkpoint, the weight pass over all of
/// them, the spectra. Each fills its part of the run file, saves where it stands on the way, and marks in
/// /status what is finished.

#include <cstdint>
#include <vector>

#include "analysis/machine/parallel.h"
#include "analysis/runs/analysis_options.h"
#include "analysis/runs/analysis_summary.h"
#include "analysis/runs/bookmark.h"
#include "analysis/runs/opened_series.h"
#include "analysis/runs/run_notes.h"
#include "readers/corpus/corpus.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// An analysis under way: what its stages share.
struct RunUnderWay {
  const AnalysisOptions& options;  // with a precision
  RunNotes& listener;
  ThreadPool& threads;
  const OpenedSeries& series;
  const Corpus& corpus;
  RunFile& run;
  Bookmark& bookmark;
  AnalysisSummary& summary;
  std::vector<std::uint8_t> forward_done, spectra_done;  // (C), as in /status
  std::vector<std::uint8_t> pair_done;                   // (C, C); empty without a weight pass

  const AnalysisScope& scope() const { return options.scope; }
  /// Bytes that may be used for everything.
  std::uint64_t memory() const;
  bool is_recorded_elsewhere(std::size_t checkpoint) const;
  bool wants_forward(std::size_t checkpoint) const;
  bool wants_weights() const;
  bool wants_spectra() const;
};

/// Bytes of weights that the stages which are not finished will read.
std::uint64_t remaining_bytes(const RunUnderWay& work);

/// All of them throw Interrupted, with everything finished kept, std::system_error, and FormatError when a
/// checkpoint changes meanwhile.
void record_forward(RunUnderWay& work, std::size_t checkpoint);
void record_weights(RunUnderWay& work);
void record_spectra(RunUnderWay& work);

}  // namespace moescope
