#include "analysis/runs/run_append.h"

#include <algorithm>
#include <system_error>

#include "analysis/runs/checkpoint_change.h"
#include "analysis/runs/run_identity.h"
#include "analysis/runs/run_merge.h"
#include "analysis/runs/run_output.h"
#include "analysis/runs/run_subject.h"
#include "readers/errors.h"
#include "readers/run_file/run_lock.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

/// What the run file says about itself.
struct Recorded {
  RunSubject subject;
  AnalysisOptions options;
  bool complete = false;
};

bool all_set(const RunFile& run, const char* status) {
  return std::ranges::all_of(run.read<std::uint8_t>(status), [](std::uint8_t flag) { return flag == 1; });
}

Recorded read_recorded(const fs::path& path) {
  const RunFile run = RunFile::open(path);
  Recorded recorded{subject_of(run), recorded_options(read_identity(run)), false};
  const AnalysisOptions& options = recorded.options;
  recorded.complete = (!options.forward || all_set(run, "/status/forward")) &&
                      (!options.weights || all_set(run, "/status/tensor_done"));
  return recorded;
}

/// Why a recorded checkpoint cannot be read any more; empty: it is there as it was.
std::string what_is_gone(const RunCheckpoint& recorded) {
  try {
    return checkpoint_change(recorded, run_checkpoint(recorded.entry, Checkpoint::open(recorded.entry.path)));
  } catch (const std::exception&) {
    return "is not there any more";
  }
}

/// The checkpoints that the run does not have yet.
std::vector<SeriesEntry> new_checkpoints(const std::vector<SeriesEntry>& given, const Recorded& recorded,
                                         const fs::path& run) {
  std::vector<SeriesEntry> fresh;
  for (const SeriesEntry& entry : given) {
    const std::optional<std::size_t> same = recorded.subject.find(entry.name);
    if (!same) {
      fresh.push_back(entry);
      continue;
    }
    const std::string change = checkpoint_change(recorded.subject.checkpoints[*same],
                                                 run_checkpoint(entry, Checkpoint::open(entry.path)));
    if (change.empty()) continue;
    throw UsageError(run.string() + ": has another checkpoint '" + entry.name + "': it " + change,
                     "a series file (.json) gives checkpoints other names");
  }
  return fresh;
}

/// All checkpoints that can be read, in training order; `present` are those of the run, `notes` tell of the
/// others.
std::vector<SeriesEntry> joined_series(const Recorded& recorded, const std::vector<SeriesEntry>& fresh,
                                       std::vector<std::string>& present, std::vector<std::string>& notes) {
  std::vector<RunCheckpoint> all;
  for (const RunCheckpoint& checkpoint : recorded.subject.checkpoints) {
    const std::string gone = recorded.options.weights ? what_is_gone(checkpoint) : "is not needed";
    if (gone.empty()) {
      all.push_back(checkpoint);
      present.push_back(checkpoint.entry.name);
    } else if (recorded.options.weights) {
      notes.push_back(checkpoint.entry.name + " " + gone +
                      (recorded.options.sketches
                           ? ": its distances to new checkpoints are estimated from its sketches"
                           : ": without sketches, its distances to new checkpoints stay unknown"));
    }
  }
  for (const SeriesEntry& entry : fresh) all.push_back({entry, {}, {}, {}});
  sort_by_training(all);
  std::vector<SeriesEntry> series;
  for (const RunCheckpoint& checkpoint : all) series.push_back(checkpoint.entry);
  return series;
}

void require_continuable(const fs::path& run, const Recorded& recorded, const AnalysisOptions& options) {
  if (!recorded.complete)
    throw UsageError(run.string() + ": is not complete", "first finish it, by the command that began it");
  if (recorded.options.version != options.version) {
    throw UsageError(
        run.string() + ": was made by moescope " + recorded.options.version + ", this is " + options.version,
        "numbers of two versions are not mixed in one file");
  }
}

}  // namespace

AnalysisSummary append_checkpoints(const AnalysisOptions& options, AnalysisListener& listener) {
  const fs::path& run = options.output;
  require_run_output(run, {});
  const RunLock lock(run);
  const Recorded recorded = read_recorded(run);
  require_continuable(run, recorded, options);
  AnalysisOptions work = recorded.options;
  work.output = run.string() + ".append";
  const std::vector<SeriesEntry> fresh = new_checkpoints(options.series, recorded, run);
  AnalysisSummary summary;
  summary.checkpoints = recorded.subject.checkpoints.size();
  summary.complete = true;
  if (!fresh.empty()) {
    work.series_notes = options.series_notes;
    work.series = joined_series(recorded, fresh, work.recorded_elsewhere, work.series_notes);
    if (work.forward) work.recorded_corpus = run;
    work.overwrite = true;  // what an append of other checkpoints has left
    work.threads = options.threads;
    work.memory = options.memory;
    work.seconds_between_saves = options.seconds_between_saves;
    work.command_line = options.command_line;
    work.version = options.version;
    work.interrupted = options.interrupted;
    summary = analyze_series(work, listener);
    if (!summary.complete) return summary;
    listener.stage("joining");
    const MergeSummary merged = merge_runs_locked({{run, work.output}, run, true, options.command_line});
    summary.checkpoints = merged.checkpoints;
    summary.loss.clear();  // of a part of the series
    summary.nonfinite_losses.clear();
  }
  fs::remove(work.output);
  return summary;
}

}  // namespace moescope
