#include "analysis/opened_series.h"

#include "readers/errors.h"

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

/// The weights must agree one by one: only then can they be compared, and one run file hold them all.
void require_same_weights(const ModelView& first, const ModelView& other) {
  const auto expected = first.weights.all(), found = other.weights.all();
  const std::string file = (other.entry.path / "config.json").string();
  for (std::size_t w = 0; w < std::min(expected.size(), found.size()); ++w) {
    if (expected[w].key == found[w].key && expected[w].rows == found[w].rows &&
        expected[w].cols == found[w].cols) {
      continue;
    }
    throw FormatError(file, "tensor '" + found[w].name + "'",
                      "not the model of checkpoint '" + first.entry.name + "' (expected " + expected[w].name +
                          " " + shape_of(expected[w]) + ", found " + shape_of(found[w]) + ")",
                      "a series holds checkpoints of one model");
  }
  if (expected.size() != found.size()) {
    throw FormatError(file, {},
                      "not the model of checkpoint '" + first.entry.name + "' (expected " +
                          std::to_string(expected.size()) + " weights, found " +
                          std::to_string(found.size()) + ")",
                      "a series holds checkpoints of one model");
  }
}

}  // namespace

std::string require_same_model(const ModelView& first, const ModelView& other) {
  require_same_weights(first, other);
  if (other.config.num_experts_per_tok != first.config.num_experts_per_tok) {
    throw FormatError((other.entry.path / "config.json").string(), "num_experts_per_tok",
                      "differs from that of checkpoint '" + first.entry.name + "' (expected " +
                          std::to_string(first.config.num_experts_per_tok) + ", found " +
                          std::to_string(other.config.num_experts_per_tok) + ")");
  }
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

OpenedSeries open_series(const std::vector<SeriesEntry>& entries, std::vector<std::string> notes) {
  if (entries.empty()) throw UsageError("no checkpoint was given");
  OpenedSeries series;
  series.entries = entries;
  series.notes = std::move(notes);
  for (const SeriesEntry& entry : entries) {
    const Checkpoint& checkpoint = series.checkpoints.emplace_back(Checkpoint::open(entry.path));
    const ModelWeights& weights = series.weights.emplace_back(checkpoint);
    for (const auto& found : {checkpoint.notes(), weights.notes()}) {
      for (const std::string& note : found) series.notes.push_back(entry.name + ": " + note);
    }
    const std::string difference = require_same_model(
        {entries.front(), series.config(), series.weights.front()}, {entry, checkpoint.config(), weights});
    if (!difference.empty()) series.notes.push_back(difference);
  }
  return series;
}

}  // namespace moescope
