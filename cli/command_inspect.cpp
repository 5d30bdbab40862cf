#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "analysis/runs/opened_series.h"
#include "cli/checkpoint_summary.h"
#include "cli/command_functions.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/run_summary.h"
#include "cli/terminal.h"
#include "readers/checkpoint/series.h"
#include "readers/text/json_text.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using Align = Table::Align;
using Json = nlohmann::ordered_json;

struct Options {
  std::vector<std::string> paths;
  bool json = false, tensors = false;
  CommonOptions common;
};

bool parse(const Arguments& arguments, Options& options) {
  CommandLine line(
      {"inspect", "PATH... [options]",
       "Shows what is in a checkpoint (a directory or a .gguf file), in one shard (.safetensors, .bin) or in "
       "a series of checkpoints, and validates it: every file, header, name and shape. Only headers are "
       "read, so a checkpoint of any size takes a moment. Of one checkpoint it tells which keys of its "
       "configuration are followed, and notes those that moescope does not know. Of a run file (.h5) it "
       "tells what it holds, how far it is, and what was noted while it was made. Invalid input ends with "
       "exit code 3 and one sentence that names the file and the tensor.",
       "moescope inspect data/tiny-dots1\n"
       "moescope inspect data/tiny-dots1/tiny-dots1-05T --json\n"
       "moescope inspect build/demo/run.h5"});
  line.positional("PATH", &options.paths, 1);
  line.flag("json", &options.json, "print everything as JSON, sizes in bytes");
  line.flag("tensors", &options.tensors,
            "list every stored tensor too; with --json, also the metadata of a GGUF file");
  line.common(&options.common);
  return line.parse(arguments);
}

Json tensor_json(const TensorInfo& tensor, const std::string& shard) {
  return {{"name", tensor.name}, {"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape},
          {"shard", shard},      {"offset", tensor.offset},           {"bytes", tensor.bytes}};
}

/// Of a GGUF file; of arrays, type and length.
Json metadata_json(const GgufMetadata& metadata) {
  Json json = Json::object();
  for (const auto& [key, value] : metadata) {
    const std::string& name = key;  // clang 14 captures no binding
    const auto* text = std::get_if<std::string>(&value);
    if (text != nullptr || std::holds_alternative<GgufArray>(value)) {
      json[key] = gguf_words(value);
    } else if (const auto* number = std::get_if<float>(&value)) {
      json[key] = decimal_value(*number);
    } else {
      std::visit(
          [&](const auto& plain) {
            if constexpr (std::is_arithmetic_v<std::decay_t<decltype(plain)>>) json[name] = plain;
          },
          value);
    }
  }
  return json;
}

Table tensor_table() {
  return Table({{"tensor"}, {"dtype"}, {"shape"}, {"bytes", Align::right}, {"shard"}});
}

void add_row(Table& table, const TensorInfo& tensor, const std::string& shard) {
  table.add({tensor.name, std::string(dtype_name(tensor.dtype)), format_shape(tensor.shape),
             format_bytes(static_cast<double>(tensor.bytes)), fs::path(shard).filename().string()});
}

Json shard_json(const SourceFile& shard, const ShardHeader& header) {
  Json json = {{"kind", "shard"},
               {"path", shard.name()},
               {"format", format_name(shard_format(shard.name()))},
               {"bytes", shard.size()},
               {"header_bytes", header.header_bytes},
               {"metadata", header.metadata},
               {"tensors", Json::array()}};
  for (const TensorInfo& tensor : header.tensors)
    json["tensors"].push_back(tensor_json(tensor, shard.name()));
  return json;
}

void print_shard(const SourceFile& shard, const ShardHeader& header) {
  std::cout << bold(fs::path(shard.name()).filename().string()) << ": a valid shard ("
            << format_name(shard_format(shard.name())) << "), " << plural(header.tensors.size(), "tensor")
            << ", " << format_bytes(static_cast<double>(shard.size())) << "\n\n";
  Table table = tensor_table();
  for (const TensorInfo& tensor : header.tensors) add_row(table, tensor, shard.name());
  std::cout << table.text();
}

// JSON is one object for one shard, an array for several.
void inspect_shards(const Options& options) {
  Json all = Json::array();
  for (const std::string& path : options.paths) {
    const SourceFile shard{fs::path(path)};
    const ShardHeader header = read_shard_header(shard);
    if (options.json) {
      all.push_back(shard_json(shard, header));
    } else {
      print_shard(shard, header);
    }
  }
  if (options.json) std::cout << json_text(all.size() == 1 ? all.front() : all);
}

bool is_run_file(const std::string& path) {
  const std::string extension = fs::path(path).extension().string();
  return extension == ".h5" || extension == ".hdf5" || RunFile::is_hdf5(path);
}

// JSON is one object for one run file, an array for several.
void inspect_runs(const Options& options) {
  Json all = Json::array();
  for (const std::string& path : options.paths) {
    const RunSummary summary = summarize(RunFile::open(path));
    if (options.json) {
      all.push_back(json_of(summary));
    } else {
      std::cout << (&path == &options.paths.front() ? "" : "\n") << text_of(summary);
    }
  }
  if (options.json) std::cout << json_text(all.size() == 1 ? all.front() : all);
}

// `notes` are those on how it was found.
void inspect_checkpoint(const fs::path& path, const std::vector<std::string>& notes, const Options& options) {
  const Checkpoint checkpoint = Checkpoint::open(path);
  CheckpointSummary summary = summarize(checkpoint, ModelWeights(checkpoint));
  summary.notes.insert(summary.notes.end(), notes.begin(), notes.end());
  const auto shard_of = [&](const StoredTensor& tensor) { return checkpoint.shards()[tensor.shard].name(); };
  if (options.json) {
    Json json = json_of(summary);
    if (options.tensors && checkpoint.format() == ShardFormat::gguf)
      json["metadata"] = metadata_json(checkpoint.gguf_metadata());
    if (options.tensors) json["tensors"] = Json::array();
    for (const auto& [name, tensor] : checkpoint.tensors()) {
      if (options.tensors) json["tensors"].push_back(tensor_json(tensor.info, shard_of(tensor)));
    }
    std::cout << json_text(json);
    return;
  }
  std::cout << text_of(summary);
  if (!options.tensors) return;
  Table table = tensor_table();
  for (const auto& [name, tensor] : checkpoint.tensors()) add_row(table, tensor.info, shard_of(tensor));
  std::cout << '\n' << table.text();
}

/// Several checkpoints, and in what they differ.
struct InspectedSeries {
  std::vector<SeriesEntry> entries;
  std::vector<CheckpointSummary> summaries;
  std::vector<std::string> notes;             // on the series, and on a checkpoint as it follows another
  std::vector<std::string> differences;       // of one configuration from the one before
  std::vector<std::string> different_models;  // why a checkpoint cannot be in a series with the first

  std::size_t size() const { return summaries.size(); }
};

Json number_or_null(double value) {
  return std::isnan(value) ? Json() : Json(value);
}

void print_series_json(const InspectedSeries& series) {
  const bool one_model = series.different_models.empty();
  Json json = {{"kind", one_model ? "series" : "checkpoints"}, {"checkpoints", Json::array()}};
  for (std::size_t i = 0; i < series.size(); ++i) {
    Json entry = json_of(series.summaries[i]);
    entry["name"] = series.entries[i].name;
    entry["tokens_seen"] = number_or_null(series.entries[i].tokens);
    entry["step"] = number_or_null(series.entries[i].step);
    entry["phase"] = series.entries[i].phase;
    json["checkpoints"].push_back(std::move(entry));
  }
  json["config_differences"] = series.differences;
  json["different_models"] = series.different_models;
  json["notes"] = series.notes;
  std::cout << json_text(json);
}

// Columns about which nothing is known are left out.
Table series_table(const std::vector<SeriesEntry>& series, const std::vector<CheckpointSummary>& summaries) {
  const auto known = [&](auto member) { return std::any_of(series.begin(), series.end(), member); };
  const bool tokens = known([](const SeriesEntry& entry) { return !std::isnan(entry.tokens); });
  const bool steps = known([](const SeriesEntry& entry) { return !std::isnan(entry.step); });
  const bool phases = known([](const SeriesEntry& entry) { return !entry.phase.empty(); });
  std::vector<Table::Column> columns = {{"checkpoint"}};
  if (tokens) columns.push_back({"tokens", Align::right});
  if (steps) columns.push_back({"step", Align::right});
  if (phases) columns.push_back({"phase"});
  for (const char* heading : {"parameters", "size", "shards"}) columns.push_back({heading, Align::right});
  Table table(columns);
  for (std::size_t i = 0; i < series.size(); ++i) {
    std::vector<std::string> row = {series[i].name};
    if (tokens) row.push_back(format_count(series[i].tokens));
    if (steps) row.push_back(format_value(series[i].step, 12));
    if (phases) row.push_back(series[i].phase);
    row.push_back(format_count(static_cast<double>(summaries[i].parameters.total)));
    row.push_back(format_bytes(static_cast<double>(summaries[i].bytes)));
    row.push_back(std::to_string(summaries[i].shards.size()));
    table.add(std::move(row));
  }
  return table;
}

std::string series_heading(const InspectedSeries& series) {
  if (!series.different_models.empty())
    return bold(plural(series.size(), "checkpoint") + " of different models") + ", each complete in itself";
  double bytes = 0;
  for (const CheckpointSummary& summary : series.summaries) bytes += static_cast<double>(summary.bytes);
  const ModelConfig& config = series.summaries.back().config;
  return bold("a series of " + plural(series.size(), "checkpoint")) + ", all complete: " + config.model_type +
         ", " + plural(static_cast<std::uint64_t>(config.num_hidden_layers), "layer") + ", " +
         (config.moe_layers().empty() ? "dense"
                                      : std::to_string(config.n_routed_experts) + " experts, " +
                                            std::to_string(config.num_experts_per_tok) + " per token") +
         ", " + format_bytes(bytes);
}

void print_series(const InspectedSeries& series) {
  std::cout << series_heading(series) << "\n\n"
            << series_table(series.entries, series.summaries).text() << '\n';
  for (const std::string& line : series.different_models) std::cout << "different model: " << line << '\n';
  if (series.differences.empty()) std::cout << "All checkpoints have the same configuration.\n";
  for (const std::string& line : series.differences) std::cout << "difference: " << line << '\n';
  for (std::size_t i = 0; i < series.size(); ++i) {
    for (const std::string& note : series.summaries[i].notes)
      std::cout << "note: " << series.entries[i].name << ": " << note << '\n';
  }
  for (const std::string& note : series.notes) std::cout << "note: " << note << '\n';
}

/// What is compared from checkpoint to checkpoint, without keeping all of them open.
struct OpenedModel {
  const SeriesEntry* entry;
  ModelConfig config;
  ModelWeights weights;

  ModelView view() const { return {*entry, config, weights}; }
};

void compare_models(const OpenedModel& first, const OpenedModel& before, const OpenedModel& model,
                    InspectedSeries& series) {
  for (const std::string& difference : config_differences(before.config, model.config))
    series.differences.push_back(before.entry->name + " -> " + model.entry->name + ": " + difference);
  if (const auto difference = model_difference(first.view(), model.view())) {
    series.different_models.push_back(difference->what());
  } else if (!model_difference(before.view(), model.view())) {
    for (std::string& change : dtype_changes(before.view(), model.view()))
      series.notes.push_back(std::move(change));
  }
}

void inspect_series(const FoundSeries& found, const Options& options) {
  InspectedSeries series{found.entries, {}, found.notes, {}, {}};
  std::optional<OpenedModel> first, before;
  ProgressBar progress(options.common.quiet);
  for (const SeriesEntry& entry : found.entries) {
    progress.update("reading headers of " + entry.name,
                    static_cast<double>(series.size()) / static_cast<double>(found.entries.size()));
    const Checkpoint checkpoint = Checkpoint::open(entry.path);
    OpenedModel model{&entry, checkpoint.config(), ModelWeights(checkpoint)};
    series.summaries.push_back(summarize(checkpoint, model.weights));
    if (before) compare_models(*first, *before, model, series);
    if (!first) first.emplace(model);
    before.emplace(std::move(model));
  }
  progress.clear();
  options.json ? print_series_json(series) : print_series(series);
}

}  // namespace

ExitCode run_inspect(const Arguments& arguments) {
  Options options;
  if (!parse(arguments, options)) return exit_done;
  if (std::all_of(options.paths.begin(), options.paths.end(), is_shard_name)) {
    inspect_shards(options);
    return exit_done;
  }
  if (std::all_of(options.paths.begin(), options.paths.end(), is_run_file)) {
    inspect_runs(options);
    return exit_done;
  }
  const FoundSeries found = find_series({options.paths.begin(), options.paths.end()});
  if (found.entries.size() == 1) {
    inspect_checkpoint(found.entries.front().path, found.notes, options);
  } else {
    inspect_series(found, options);
  }
  return exit_done;
}

}  // namespace moescope
