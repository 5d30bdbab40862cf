#include "analysis/runs/opened_series.h"

#include <algorithm>
#include <map>
#include <utility>

#include "readers/checkpoint/weight_files.h"

namespace moescope {
namespace {

std::string join(const std::vector<std::string>& parts, const char* separator) {
  std::string joined;
  for (const std::string& part : parts) joined += (joined.empty() ? "" : separator) + part;
  return joined;
}

std::string shape_of(const Weight& weight) {
  return format_shape({weight.rows, weight.cols});
}

std::string config_file(const ModelView& model) {
  return config_source(model.entry.path);
}

constexpr const char* one_model = "a series holds checkpoints of one model";

/// The weights must agree one by one: only then can they be compared, and one run file hold them all.
std::optional<FormatError> weight_difference(const ModelView& first, const ModelView& other) {
  const auto expected = first.weights.all(), found = other.weights.all();
  const std::string not_the_model = "not the model of checkpoint '" + first.entry.name + "' (expected ";
  const auto difference = first_difference(expected, found);
  if (!difference) return std::nullopt;
  if (difference->expected != nullptr && difference->found != nullptr) {
    return FormatError(config_file(other), "tensor '" + difference->found->name + "'",
                       not_the_model + difference->expected->name + " " + shape_of(*difference->expected) +
                           ", found " + shape_of(*difference->found) + ")",
                       one_model);
  }
  return FormatError(config_file(other), {},
                     not_the_model + std::to_string(expected.size()) + " weights, found " +
                         std::to_string(found.size()) + ")",
                     one_model);
}

}  // namespace

std::optional<FormatError> model_difference(const ModelView& first, const ModelView& other) {
  if (auto difference = weight_difference(first, other)) return difference;
  if (other.config.num_experts_per_tok == first.config.num_experts_per_tok) return std::nullopt;
  return FormatError(config_file(other), "num_experts_per_tok",
                     "differs from that of checkpoint '" + first.entry.name + "' (expected " +
                         std::to_string(first.config.num_experts_per_tok) + ", found " +
                         std::to_string(other.config.num_experts_per_tok) + ")");
}

std::vector<std::string> dtype_changes(const ModelView& before, const ModelView& after) {
  struct Change {
    std::size_t weights = 0;
    std::string first;
  };
  std::map<std::pair<DType, DType>, Change> changes;
  const auto old_weights = before.weights.all(), new_weights = after.weights.all();
  for (std::size_t w = 0; w < std::min(old_weights.size(), new_weights.size()); ++w) {
    if (old_weights[w].dtype == new_weights[w].dtype) continue;
    Change& change = changes[{old_weights[w].dtype, new_weights[w].dtype}];
    if (change.weights++ == 0) change.first = new_weights[w].name;
  }
  std::vector<std::string> notes;
  for (const auto& [dtypes, change] : changes) {
    notes.push_back(after.entry.name + ": " + std::to_string(change.weights) +
                    (change.weights == 1 ? " weight is" : " weights are") + " stored as " +
                    std::string(dtype_name(dtypes.second)) + ", in " + before.entry.name + " as " +
                    std::string(dtype_name(dtypes.first)) + ": first " + change.first);
  }
  return notes;
}

std::string require_same_model(const ModelView& first, const ModelView& other) {
  if (const auto difference = model_difference(first, other)) throw FormatError(*difference);
  const std::vector<std::string> differences = config_differences(first.config, other.config);
  if (differences.empty()) return {};
  return other.entry.name + ": config.json differs from that of " + first.entry.name + ": " +
         join(differences, "; ");
}

std::vector<CheckpointWeights> OpenedSeries::views() const {
  std::vector<CheckpointWeights> views;
  for (std::size_t c = 0; c < size(); ++c) views.push_back({&checkpoints[c], &weights[c]});
  return views;
}

std::uint64_t OpenedSeries::bytes() const {
  std::uint64_t bytes = 0;
  for (const ModelWeights& model : weights) {
    for (const Weight& weight : model.all()) bytes += weight.bytes();
  }
  return bytes;
}

std::int64_t OpenedSeries::vocabulary() const {
  std::int64_t least = config().vocab_size;
  for (const Checkpoint& checkpoint : checkpoints) least = std::min(least, checkpoint.config().vocab_size);
  return least;
}

namespace {

void open_checkpoint(OpenedSeries& series, const SeriesEntry& entry) {
  const Checkpoint& checkpoint = series.checkpoints.emplace_back(Checkpoint::open(entry.path));
  const ModelWeights& weights = series.weights.emplace_back(checkpoint);
  for (const auto& found : {checkpoint.notes(), weights.notes()}) {
    for (const std::string& note : found) series.notes.push_back(entry.name + ": " + note);
  }
}

/// Leaves the checkpoints what they have in common.
void share_vocabulary(OpenedSeries& series) {
  const std::int64_t rows = series.vocabulary();
  const auto has_it = [&](const Checkpoint& checkpoint) { return checkpoint.config().vocab_size == rows; };
  if (std::ranges::all_of(series.checkpoints, has_it)) return;
  series.whole = series.weights;
  for (ModelWeights& weights : series.weights)
    weights = weights.with_vocabulary(static_cast<std::uint64_t>(rows));
}

/// The configuration of what a checkpoint has in the series.
ModelConfig shared_config(const OpenedSeries& series, std::size_t checkpoint) {
  ModelConfig config = series.checkpoints[checkpoint].config();
  if (!series.whole.empty()) config.vocab_size = series.vocabulary();
  return config;
}

/// Compares a checkpoint with the first, and with the one before it.
void compare_checkpoint(OpenedSeries& series, std::size_t checkpoint) {
  const ModelConfig first = shared_config(series, 0), config = shared_config(series, checkpoint);
  const ModelView view{series.entries[checkpoint], config, series.weights[checkpoint]};
  const std::string difference =
      require_same_model({series.entries.front(), first, series.weights.front()}, view);
  if (!difference.empty()) series.notes.push_back(difference);
  if (checkpoint == 0) return;
  const std::size_t last = checkpoint - 1;
  const ModelView before{series.entries[last], series.checkpoints[last].config(), series.weights[last]};
  for (std::string& change : dtype_changes(before, view)) series.notes.push_back(std::move(change));
}

}  // namespace

OpenedSeries open_series(const std::vector<SeriesEntry>& entries, std::vector<std::string> notes,
                         Vocabularies vocabularies) {
  if (entries.empty()) throw UsageError("no checkpoint was given");
  OpenedSeries series;
  series.entries = entries;
  series.notes = std::move(notes);
  for (const SeriesEntry& entry : entries) open_checkpoint(series, entry);
  if (vocabularies == Vocabularies::in_common) share_vocabulary(series);
  for (std::size_t c = 0; c < series.size(); ++c) compare_checkpoint(series, c);
  return series;
}

}  // namespace moescope
