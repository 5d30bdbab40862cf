#include "analysis/runs/run_merge.h"

#include <algorithm>
#include <cmath>

#include "analysis/derive/run_metrics.h"
#include "analysis/record/recorded_products.h"
#include "analysis/record/router_record.h"
#include "analysis/record/run_copy.h"
#include "analysis/record/spectra_record.h"
#include "analysis/runs/merge_notes.h"
#include "analysis/runs/merge_parts.h"
#include "analysis/runs/run_layout.h"
#include "analysis/runs/run_output.h"
#include "metrics/weights/weight_drift.h"
#include "readers/errors.h"
#include "readers/recorded/attribute_text.h"
#include "readers/run_file/run_lock.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

/// Only where `done`.
Places finished(const Places& places, const std::vector<std::uint8_t>& done) {
  Places result = places;
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (!done[i]) result[i].reset();
  }
  return result;
}

/// The updates from one checkpoint to the next that are such updates in the whole, too.
Places places_of_steps(const Places& checkpoints) {
  Places steps;
  for (std::size_t c = 0; c + 1 < checkpoints.size(); ++c) {
    const bool neighbours = *checkpoints[c] + 1 == *checkpoints[c + 1];
    steps.push_back(neighbours ? checkpoints[c] : std::nullopt);
  }
  return steps;
}

void copy_forward(const MergePart& part, RunFile& whole) {
  if (!part.has_forward()) return;
  const DimensionPlaces places = {{"checkpoint", finished(part.checkpoint, part.forward_done)},
                                  {"token", part.token},
                                  {"domain", part.domain}};
  for (const DatasetRow& row : raw_datasets()) {
    if (row.joining == Joining::of_passes && part.run.contains(row.path))
      copy_values(part.run, whole, row.path, places, Overlap::agree);
  }
}

/// A distance follows from sums over all steps between two checkpoints, so that its last bits depend on which
/// others there are.
void copy_weights(const MergePart& part, RunFile& whole) {
  if (!part.has_weights()) return;
  const Places steps = places_of_steps(part.checkpoint);
  const DimensionPlaces places = {
      {"checkpoint", part.checkpoint},
      {"other_checkpoint", part.checkpoint},
      {"checkpoint_step", steps},
      {"other_checkpoint_step", steps},
      {"tensor", finished(shifted(part.tensor_done.size(), 0), part.tensor_done)}};
  for (const DatasetRow& row : raw_datasets()) {
    if (!part.run.contains(row.path)) continue;
    const bool by_tensor = std::ranges::count(row.dimensions, "tensor") > 0;
    if (row.joining == Joining::distances) {
      copy_values(part.run, whole, row.path, places, Overlap::replace);
    } else if (row.joining == Joining::of_weights && (by_tensor || part.pair_done.front())) {
      copy_values(part.run, whole, row.path, places, Overlap::agree);
    }
  }
}

/// Distances from the sums of the whole, where these are known: as one weight pass would have had them.
void renew_distances(RunFile& whole, std::size_t tensors) {
  for (std::uint64_t first = 0; first < tensors; first += tensors_at_once) {
    const std::uint64_t count = std::min<std::uint64_t>(tensors_at_once, tensors - first);
    const RecordedProducts recorded = read_products(whole, first, count);
    const std::uint64_t checkpoints = whole.shape(dataset::checkpoint)[0];
    const Slab slab{{0, 0, first}, {checkpoints, checkpoints, count}};
    std::vector<double> drift = whole.read(dataset::weights_relative_drift, slab),
                        cosine = whole.read(dataset::weights_cosine, slab);
    for (std::uint64_t w = 0; w < count; ++w) {
      WeightInnerProducts products = WeightInnerProducts::zero(checkpoints);
      products.add(recorded.inner_of(first + w), recorded.delta_inner_of(first + w));
      const std::vector<double> drifts = relative_drift(products), cosines = weight_cosine(products);
      for (std::size_t pair = 0; pair < drifts.size(); ++pair) {
        if (!std::isnan(drifts[pair])) drift[pair * count + w] = drifts[pair];
        if (!std::isnan(cosines[pair])) cosine[pair * count + w] = cosines[pair];
      }
    }
    whole.write(dataset::weights_relative_drift, slab, drift);
    whole.write(dataset::weights_cosine, slab, cosine);
  }
}

/// Counts of a part of the weights add up to those of all.
void add_counts(const MergePart& part, RunFile& whole, const std::string& path) {
  const std::vector<std::uint64_t> shape = part.run.shape(path);  // (C, …)
  const bool adds = !part.scope.part.is_whole();
  for (std::size_t c = 0; c < shape[0]; ++c) {
    Slab source{std::vector<std::uint64_t>(shape.size()), shape}, target = source;
    source.count[0] = target.count[0] = 1;
    source.start[0] = c;
    target.start[0] = *part.checkpoint[c];
    std::vector<std::int64_t> counts = part.run.read<std::int64_t>(path, source);
    if (std::ranges::count(counts, 0) == static_cast<std::ptrdiff_t>(counts.size())) continue;
    if (adds) {
      const std::vector<std::int64_t> there = whole.read<std::int64_t>(path, target);
      for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += there[i];
    }
    whole.write<std::int64_t>(path, target, counts);
  }
}

void add_all_counts(const MergePart& part, RunFile& whole) {
  if (!part.has_weights()) return;
  for (const DatasetRow& row : raw_datasets()) {
    if (row.joining == Joining::added && part.run.contains(row.path)) add_counts(part, whole, row.path);
  }
}

void copy_costs(const MergePart& part, RunFile& whole) {
  for (const DatasetRow& row : raw_datasets()) {
    const bool of_passes = row.joining == Joining::cost_of_passes;
    if ((!of_passes && row.joining != Joining::cost_of_weights) || !part.run.contains(row.path)) continue;
    const Places places = of_passes ? finished(part.checkpoint, part.forward_done) : part.checkpoint;
    copy_values(part.run, whole, row.path, {{"checkpoint", places}}, Overlap::replace);
  }
}

/// What the parts together have finished.
class Coverage {
 public:
  Coverage(std::size_t checkpoints, std::size_t corpora, std::size_t tensors)
      : checkpoints_(checkpoints),
        corpora_(corpora),
        tensors_(tensors),
        passes_(checkpoints * corpora),
        pairs_(tensors * checkpoints * checkpoints) {}

  void add(const MergePart& part) {
    for (std::size_t c = 0; c < part.checkpoint.size(); ++c) {
      if (part.has_forward() && part.forward_done[c])
        passes_[*part.checkpoint[c] * corpora_ + part.corpus_number] = 1;
    }
    for (std::size_t w = 0; w < part.tensor_done.size(); ++w) {
      if (part.tensor_done[w]) add_pairs(part, w);
    }
  }

  bool forward(std::size_t checkpoint) const {
    const auto first = passes_.begin() + static_cast<std::ptrdiff_t>(checkpoint * corpora_);
    return corpora_ > 0 && std::all_of(first, first + static_cast<std::ptrdiff_t>(corpora_), is_set);
  }
  /// The tensor at all checkpoints, each for itself.
  bool tensor(std::size_t w) const {
    for (std::size_t c = 0; c < checkpoints_; ++c) {
      if (!pairs_[place(w, c, c)]) return false;
    }
    return true;
  }
  /// All tensors at two checkpoints, side by side.
  bool pair(std::size_t a, std::size_t b) const {
    for (std::size_t w = 0; w < tensors_; ++w) {
      if (!pairs_[place(w, a, b)]) return false;
    }
    return true;
  }

 private:
  static bool is_set(std::uint8_t flag) { return flag == 1; }
  std::size_t place(std::size_t w, std::size_t a, std::size_t b) const {
    return (w * checkpoints_ + a) * checkpoints_ + b;
  }
  void add_pairs(const MergePart& part, std::size_t w) {
    const std::size_t count = part.checkpoint.size();
    for (std::size_t a = 0; a < count; ++a) {
      for (std::size_t b = 0; b < count; ++b) {
        if (part.pair_done[a * count + b]) pairs_[place(w, *part.checkpoint[a], *part.checkpoint[b])] = 1;
      }
    }
  }

  std::size_t checkpoints_, corpora_, tensors_;
  std::vector<std::uint8_t> passes_;  // (C, corpora)
  std::vector<std::uint8_t> pairs_;   // (W, C, C)
};

bool has_all_spectra(const RunFile& whole, const RunSubject& subject, SpectraChoice choice) {
  if (choice == SpectraChoice::none) return false;
  const SpectraRecord record(whole, {0, subject.checkpoints.size()});
  return std::ranges::all_of(choose_spectra(subject.weights.all(), choice),
                             [&](std::size_t index) { return record.contains(index); });
}

MergeSummary write_status(RunFile& whole, const RunSubject& subject, const AnalysisScope& scope,
                          const Coverage& coverage) {
  const std::size_t checkpoints = subject.checkpoints.size();
  MergeSummary summary;
  std::vector<std::uint8_t> forward, tensors;
  for (std::size_t c = 0; c < checkpoints; ++c) forward.push_back(scope.forward && coverage.forward(c));
  whole.write(dataset::status_forward, forward);
  summary.forward_finished = static_cast<std::size_t>(std::ranges::count(forward, 1));
  summary.complete = !scope.forward || summary.forward_finished == checkpoints;
  summary.checkpoints = checkpoints;
  if (!scope.weights) return summary;

  std::vector<std::uint8_t> weights, pairs;
  for (std::size_t w = 0; w < subject.weights.all().size(); ++w) tensors.push_back(coverage.tensor(w));
  summary.tensors = tensors.size();
  summary.tensors_finished = static_cast<std::size_t>(std::ranges::count(tensors, 1));
  for (std::size_t a = 0; a < checkpoints; ++a) {
    weights.push_back(coverage.pair(a, a));
    for (std::size_t b = 0; b < checkpoints; ++b) pairs.push_back(coverage.pair(a, b));
  }
  summary.pairs = pairs.size();
  summary.pairs_finished = static_cast<std::size_t>(std::ranges::count(pairs, 1));
  const bool all_pairs = summary.pairs_finished == summary.pairs;
  const bool spectra = all_pairs && has_all_spectra(whole, subject, scope.spectra);
  whole.write(dataset::status_tensor_done, tensors);
  whole.write(dataset::status_weights, weights);
  whole.write(dataset::status_pair_done, pairs);
  whole.write(dataset::status_spectra, std::vector<std::uint8_t>(checkpoints, spectra));
  summary.complete = summary.complete && all_pairs && (spectra || !scope.measures_spectra());
  return summary;
}

}  // namespace

MergeSummary merge_runs_locked(const MergeOptions& options) {
  if (options.parts.empty()) throw UsageError("no run file was given");
  if (fs::exists(options.output) && !options.overwrite)
    throw UsageError(options.output.string() + ": exists", "give another -o, or --overwrite to replace it");
  require_replaceable(options.output);
  const MergeParts merge = open_merge_parts(options.parts);
  const RunSubject& subject = merge.subject;
  RunFile whole = create_run(
      {options.output, options.command_line, merge.scope, subject, merge.corpus, known_notes(merge.parts)});
  Coverage coverage(subject.checkpoints.size(), merge.corpora, subject.weights.all().size());
  std::string tokenizer;
  for (const MergePart& part : merge.parts) {
    copy_forward(part, whole);
    copy_weights(part, whole);
    add_all_counts(part, whole);
    copy_costs(part, whole);
    coverage.add(part);
    if (tokenizer.empty()) tokenizer = attribute_text(part.run, "/", "tokenizer_sha256");
  }
  whole.set_attribute("/", "tokenizer_sha256", tokenizer);
  if (merge.scope.weights) {
    renew_distances(whole, subject.weights.all().size());
    match_recorded_experts(whole, subject.weights);
  }
  MergeSummary summary = write_status(whole, subject, merge.scope, coverage);
  summary.domains = merge.corpus.domains.size();
  summary.tokens = merge.corpus.tokens();
  write_run_metrics(whole);
  join_notes(merge.parts, whole);
  whole.sync();
  return summary;
}

MergeSummary merge_runs(const MergeOptions& options) {
  require_run_output(options.output, options.parts);
  const RunLock lock(options.output);
  return merge_runs_locked(options);
}

}  // namespace moescope
