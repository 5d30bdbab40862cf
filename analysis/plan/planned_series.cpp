#include "analysis/plan/planned_series.h"

#include <algorithm>

#include "analysis/runs/opened_series.h"
#include "readers/checkpoint/weight_files.h"
#include "readers/errors.h"
#include "readers/files/directory.h"
#include "readers/files/source_file.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

/// Why a checkpoint cannot be opened yet, in words; empty when all of it is there.
std::string what_is_missing(const fs::path& directory) {
  if (!is_directory_path(directory) || !has_config(directory))
    return {};  // GGUF: nothing describes it but itself
  const WeightFiles files = find_weight_files(directory);
  const std::optional<IndexFile> index = read_index(files);
  if (!index && files.of(chosen_format(files)).empty()) return "no file of weights is";
  const std::vector<std::string> shards = expected_shards(files, index);
  const auto present =
      std::ranges::count_if(shards, [&](const std::string& shard) { return path_exists(directory / shard); });
  if (present == static_cast<std::ptrdiff_t>(shards.size())) return {};
  return "only " + std::to_string(present) + " of " + std::to_string(shards.size()) + " shards are";
}

DType described_dtype(const ModelConfig& config, const std::string& file) {
  if (config.torch_dtype == "bfloat16") return DType::bf16;
  if (config.torch_dtype == "float16") return DType::f16;
  if (config.torch_dtype == "float32") return DType::f32;
  const std::string expected = "(expected \"bfloat16\", \"float16\" or \"float32\"";
  if (config.torch_dtype.empty()) {
    throw FormatError(file, "'torch_dtype'", "is missing " + expected + ")",
                      "without shards, it alone tells the size of a weight");
  }
  throw UnsupportedModel(file, "'torch_dtype'",
                         "is not supported " + expected + ", found \"" + config.torch_dtype + "\")");
}

PlannedCheckpoint describe(const SeriesEntry& entry) {
  const std::string file = config_path(entry.path).string();
  ModelConfig config = parse_model_config(read_whole_file(file), file);
  ModelWeights weights(config, described_dtype(config, file));
  const fs::path tokenizer = entry.path / "tokenizer.json";
  return {entry, std::move(config), std::move(weights), {}, path_exists(tokenizer) ? tokenizer : fs::path()};
}

PlannedCheckpoint open(const SeriesEntry& entry) {
  Checkpoint checkpoint = Checkpoint::open(entry.path);
  ModelWeights weights(checkpoint);
  ModelConfig config = checkpoint.config();
  const fs::path tokenizer = checkpoint.tokenizer_path();
  return {entry, std::move(config), std::move(weights), std::move(checkpoint), tokenizer};
}

void add_notes(const PlannedCheckpoint& planned, const std::string& missing,
               std::vector<std::string>& notes) {
  const std::string& name = planned.entry.name;
  if (!planned.checkpoint) {
    notes.push_back(name + ": " + missing + " there; sizes are those that config.json describes");
    if (const std::string note = note_on_unknown_keys(planned.config.keys); !note.empty())
      notes.push_back(name + ": " + note);
    return;
  }
  for (const auto& found : {planned.checkpoint->notes(), planned.weights.notes()}) {
    for (const std::string& note : found) notes.push_back(name + ": " + note);
  }
}

ModelView view(const PlannedCheckpoint& planned) {
  return {planned.entry, planned.config, planned.weights};
}

}  // namespace

std::uint64_t PlannedCheckpoint::bytes() const {
  std::uint64_t bytes = 0;
  for (const Weight& weight : weights.all()) bytes += weight.stored_bytes();
  return bytes;
}

PlannedSeries find_planned_series(const std::vector<SeriesEntry>& entries, std::vector<std::string> notes) {
  if (entries.empty()) throw UsageError("no checkpoint was given");
  PlannedSeries series;
  series.notes = std::move(notes);
  for (const SeriesEntry& entry : entries) {
    const std::string missing = what_is_missing(entry.path);
    const PlannedCheckpoint& planned =
        series.checkpoints.emplace_back(missing.empty() ? open(entry) : describe(entry));
    add_notes(planned, missing, series.notes);
    const std::string difference = require_same_model(view(series.checkpoints.front()), view(planned));
    if (!difference.empty()) series.notes.push_back(difference);
    if (series.size() < 2) continue;
    const PlannedCheckpoint& before = series.checkpoints[series.size() - 2];
    if (!before.checkpoint || !planned.checkpoint) continue;
    for (std::string& change : dtype_changes(view(before), view(planned)))
      series.notes.push_back(std::move(change));
  }
  return series;
}

}  // namespace moescope
