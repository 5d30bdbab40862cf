#include "analysis/runs/run_subject.h"

#include <algorithm>
#include <cmath>

#include "analysis/record/recorded_roles.h"
#include "readers/checkpoint/series_order.h"
#include "readers/errors.h"
#include "readers/recorded/recorded_config.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

void require_recorded_tensors(const RunFile& run, std::span<const Weight> weights) {
  if (!run.contains(dataset::tensor)) return;
  const std::vector<std::string> recorded = run.read(dataset::tensor);
  bool equal = recorded.size() == weights.size();
  for (std::size_t w = 0; equal && w < weights.size(); ++w) equal = recorded[w] == weights[w].name;
  if (!equal)
    throw FormatError(run.path().string(), dataset::tensor,
                      "does not hold the tensors that its config.json describes");
}

}  // namespace

std::optional<std::size_t> RunSubject::find(const std::string& name) const {
  for (std::size_t c = 0; c < checkpoints.size(); ++c) {
    if (checkpoints[c].entry.name == name) return c;
  }
  return {};
}

bool holds_analysis(const RunFile& run) {
  if (run.contains(dataset::role) && run.read(dataset::role) != role_labels()) return false;
  return run.contains(dataset::notes) && run.contains(dataset::status_forward) &&
         run.contains(dataset::status_spectra) &&
         run.contains(dataset::status_pair_done) == run.contains(dataset::tensor);
}

RunCheckpoint run_checkpoint(const SeriesEntry& entry, const Checkpoint& checkpoint) {
  return {entry, checkpoint.config_json(), checkpoint.fingerprint(), checkpoint.file_stamps()};
}

RunSubject subject_of(const OpenedSeries& series) {
  RunSubject subject{{}, series.config(), series.weights.front()};
  for (std::size_t c = 0; c < series.size(); ++c) {
    subject.checkpoints.push_back(run_checkpoint(series.entries[c], series.checkpoints[c]));
  }
  return subject;
}

RunSubject subject_of(const RunFile& run) {
  if (!holds_analysis(run)) {
    throw FormatError(run.path().string(), {},
                      "holds no analysis, or one that is not laid out as this version does",
                      "moescope analyze writes such files");
  }
  const auto names = run.read(dataset::checkpoint), phases = run.read(dataset::phase),
             configs = run.read(dataset::checkpoint_info_config_json),
             fingerprints = run.read(dataset::checkpoint_info_fingerprint),
             paths = run.read(dataset::checkpoint_info_path);
  const auto tokens = run.read(dataset::tokens_seen), steps = run.read(dataset::step);
  const std::vector<std::string> stamps = run.contains(dataset::checkpoint_info_file_stamps)
                                              ? run.read(dataset::checkpoint_info_file_stamps)
                                              : std::vector<std::string>(names.size());
  const ModelConfig config = recorded_config(run);
  RunSubject subject{{}, config, ModelWeights(config, DType::bf16)};
  for (std::size_t c = 0; c < names.size(); ++c) {
    subject.checkpoints.push_back({{names[c], paths.at(c), tokens.at(c), steps.at(c), phases.at(c)},
                                   configs.at(c),
                                   fingerprints.at(c),
                                   stamps.at(c)});
  }
  require_recorded_tensors(run, subject.weights.all());
  return subject;
}

namespace {

bool is_same(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

/// What a name told when its checkpoint was recorded, it may not tell beside others: of a stage that counts
/// anew, nothing. What no name told was given by the user, and stays.
SeriesOrder settle_progress(std::vector<RunCheckpoint>& checkpoints) {
  std::vector<std::string> names;
  for (const RunCheckpoint& checkpoint : checkpoints) names.push_back(checkpoint.entry.name);
  SeriesOrder told = order_by_names(names);
  for (std::size_t c = 0; c < checkpoints.size(); ++c) {
    SeriesEntry& entry = checkpoints[c].entry;
    const NamedProgress alone = progress_of(read_checkpoint_name(entry.name));
    if (is_same(entry.tokens, alone.tokens)) entry.tokens = told.progress[c].tokens;
    if (is_same(entry.step, alone.step)) entry.step = told.progress[c].step;
  }
  return told;
}

}  // namespace

void sort_by_training(std::vector<RunCheckpoint>& checkpoints) {
  const SeriesOrder told = settle_progress(checkpoints);
  for (double SeriesEntry::*progress : {&SeriesEntry::tokens, &SeriesEntry::step}) {
    const bool known = std::ranges::none_of(
        checkpoints, [&](const RunCheckpoint& checkpoint) { return std::isnan(checkpoint.entry.*progress); });
    if (!known) continue;
    std::ranges::stable_sort(checkpoints, {},
                             [&](const RunCheckpoint& checkpoint) { return checkpoint.entry.*progress; });
    return;
  }
  if (!told.decided) return;
  std::vector<RunCheckpoint> sorted;
  for (const std::size_t c : told.order) sorted.push_back(std::move(checkpoints[c]));
  checkpoints = std::move(sorted);
}

}  // namespace moescope
