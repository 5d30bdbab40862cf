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
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

/// What the run file says about itself.
struct Recorded {
  RunSubject subject;
  AnalysisScope scope;
  bool complete = false;
};

bool all_set(const RunFile& run, Dataset<std::uint8_t> status) {
  return std::ranges::all_of(run.read(status), [](std::uint8_t flag) { return flag == 1; });
}

Recorded read_recorded(const fs::path& path) {
  const RunFile run = RunFile::open(path);
  Recorded recorded{subject_of(run), read_scope(run), false};
  const AnalysisScope& scope = recorded.scope;
  recorded.complete = (!scope.forward || all_set(run, dataset::status_forward)) &&
                      (!scope.weights || all_set(run, dataset::status_tensor_done));
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
    const std::string gone = recorded.scope.weights ? what_is_gone(checkpoint) : "is not needed";
    if (gone.empty()) {
      all.push_back(checkpoint);
      present.push_back(checkpoint.entry.name);
    } else if (recorded.scope.weights) {
      notes.push_back(checkpoint.entry.name + " " + gone +
                      (recorded.scope.sketches
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

void require_continuable(const fs::path& run, const Recorded& recorded, const std::string& version) {
  if (!recorded.complete)
    throw UsageError(run.string() + ": is not complete", "first finish it, by the command that began it");
  if (recorded.scope.version != version) {
    throw UsageError(
        run.string() + ": was made by moescope " + recorded.scope.version + ", this is " + version,
        "numbers of two versions are not mixed in one file");
  }
}

/// Of all checkpoints that can be read, in the recorded scope; with the resources of `options`.
AnalysisOptions appended_analysis(const AnalysisOptions& options, const Recorded& recorded,
                                  const std::vector<SeriesEntry>& fresh, const fs::path& file) {
  AnalysisOptions work;
  work.resources = options.resources;
  work.scope = recorded.scope;
  work.scope.part = {};
  work.inputs.notes = options.inputs.notes;
  work.inputs.series = joined_series(recorded, fresh, work.inputs.recorded_elsewhere, work.inputs.notes);
  if (work.scope.forward) work.inputs.recorded_corpus = options.output.file;
  work.output.file = file;
  work.output.overwrite = true;  // what an append of other checkpoints has left
  work.output.command_line = options.output.command_line;
  return work;
}

}  // namespace

AnalysisSummary append_checkpoints(const AnalysisOptions& options, AnalysisListener& listener) {
  const fs::path& run = options.output.file;
  require_run_output(run, {});
  const RunLock lock(run);
  const Recorded recorded = read_recorded(run);
  require_continuable(run, recorded, options.scope.version);
  const fs::path unfinished = run.string() + ".append";
  const std::vector<SeriesEntry> fresh = new_checkpoints(options.inputs.series, recorded, run);
  AnalysisSummary summary;
  summary.checkpoints = recorded.subject.checkpoints.size();
  summary.complete = true;
  if (!fresh.empty()) {
    const AnalysisOptions work = appended_analysis(options, recorded, fresh, unfinished);
    summary = analyze_series(work, listener);
    if (!summary.complete) return summary;
    listener.stage("joining");
    const MergeSummary merged =
        merge_runs_locked({{run, unfinished}, run, true, options.output.command_line});
    summary.checkpoints = merged.checkpoints;
    summary.loss.clear();  // of a part of the series
    summary.nonfinite_losses.clear();
  }
  fs::remove(unfinished);
  return summary;
}

}  // namespace moescope
