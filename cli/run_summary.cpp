#include "cli/run_summary.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/runs/run_identity.h"
#include "cli/terminal.h"
#include "metrics/statistics.h"
#include "readers/checkpoint/checkpoint.h"
#include "readers/errors.h"
#include "readers/model/model_config.h"
#include "readers/model/parameter_count.h"
#include "readers/recorded/attribute_text.h"
#include "readers/recorded/recorded_config.h"
#include "readers/recorded/recorded_notes.h"
#include "readers/schema/datasets.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

using Align = Table::Align;
using Json = nlohmann::ordered_json;

template <class T>
std::vector<T> values_or(const RunFile& run, Dataset<T> dataset, std::size_t count,
                         std::type_identity_t<T> otherwise) {
  std::vector<T> values;
  if (run.contains(dataset)) values = run.read(dataset);
  values.resize(count, otherwise);
  return values;
}

std::uint64_t size_of(const RunFile& run, const std::string& path) {
  return run.contains(path) ? run.shape(path).at(0) : 0;
}

void read_checkpoints(const RunFile& run, RunSummary& summary) {
  const auto names = values_or(run, dataset::checkpoint, size_of(run, dataset::checkpoint), {});
  const std::size_t count = names.size();
  const auto tokens = values_or(run, dataset::tokens_seen, count, nan),
             steps = values_or(run, dataset::step, count, nan);
  const auto phases = values_or(run, dataset::phase, count, {});
  const auto forward = values_or(run, dataset::status_forward, count, 0),
             weights = values_or(run, dataset::status_weights, count, 0),
             spectra = values_or(run, dataset::status_spectra, count, 0);
  for (std::size_t c = 0; c < count; ++c) {
    summary.checkpoints.push_back(
        {names[c], tokens[c], steps[c], phases[c], forward[c] == 1, weights[c] == 1, spectra[c] == 1});
  }
}

void read_model(const RunFile& run, RunSummary& summary) {
  summary.layers = size_of(run, dataset::layer);
  summary.moe_layers = size_of(run, dataset::moe_layer);
  summary.experts = size_of(run, dataset::expert);
  const auto configs = values_or(run, dataset::checkpoint_info_config_json, summary.checkpoints.size(), {});
  if (configs.empty()) return;
  try {
    const ModelConfig config = recorded_config(run);
    summary.experts_per_token = static_cast<std::uint64_t>(config.num_experts_per_tok);
    summary.parameters = count_parameters(config).total;
  } catch (const InputError&) {  // of another version: the rest can be told all the same
  }
}

void read_domains(const RunFile& run, RunSummary& summary) {
  const auto names = values_or(run, dataset::domain, size_of(run, dataset::domain), {});
  const auto tokens = values_or(run, dataset::routing_token_count, names.size(), 0);
  for (std::size_t d = 0; d < names.size(); ++d) summary.domains.emplace_back(names[d], tokens[d]);
}

void read_passes(const RunFile& run, RunSummary& summary) {
  const AnalysisScope scope = read_scope(run);
  const bool forward = run.contains(dataset::loss_nll), weights = run.contains(dataset::weights_norm);
  if (forward) summary.passes.emplace_back("forward");
  if (weights) summary.passes.emplace_back("weights");
  if (!scope.part.is_whole()) summary.part = scope.part.name();
  for (const SavedPart& part : saved_parts) {
    if (scope.save.*part.wanted) summary.saved += (summary.saved.empty() ? "" : " ") + std::string(part.name);
  }
  if (weights) summary.spectra = spectra_choice_name(scope.spectra);
  summary.sketches = weights && scope.sketches;
}

Finished finished(const RunFile& run, Dataset<std::uint8_t> path) {
  const auto flags = run.read(path);
  return {static_cast<std::uint64_t>(std::ranges::count(flags, 1)), flags.size()};
}

void read_status(const RunFile& run, RunSummary& summary) {
  const auto add = [&](const char* name, Dataset<std::uint8_t> path, bool wanted) {
    if (wanted && run.contains(path)) summary.finished[name] = finished(run, path);
  };
  const bool weights = !summary.spectra.empty();
  add("forward passes", dataset::status_forward, run.contains(dataset::loss_nll));
  add("tensors", dataset::status_tensor_done, weights);
  add("pairs of checkpoints", dataset::status_pair_done, weights);
  add("spectra", dataset::status_spectra, weights && summary.spectra != "none");
  summary.complete =
      !summary.finished.empty() && std::ranges::all_of(summary.finished, [](const auto& entry) {
        return entry.second.done == entry.second.all;
      });
}

std::uint64_t stored_bytes(const RunFile& run, const std::string& path) {
  const DatasetSpec spec = run.describe(path);
  constexpr std::uint64_t bytes[] = {1, 2, 4, 4, 8, 4, 8, 16};
  std::uint64_t size = spec.text_bytes > 0 ? spec.text_bytes : bytes[static_cast<std::size_t>(spec.type)];
  for (const std::uint64_t extent : run.shape(path)) size *= extent;
  return size;
}

void read_groups(const RunFile& run, RunSummary& summary) {
  for (const std::string& path : run.datasets()) {
    const std::size_t end = path.find('/', 1);
    if (end == std::string::npos) continue;
    RunSummary::Group& group = summary.groups[path.substr(0, end)];
    ++group.datasets;
    group.bytes += stored_bytes(run, path);
  }
}

std::string state_in_words(const RunSummary& summary) {
  if (!summary.part.empty()) return "part " + summary.part + " of a run";
  if (summary.finished.empty()) return "a run file that holds no analysis";
  return summary.complete ? "a complete run file" : "a run file that is not finished";
}

std::string progress_in_words(const RunSummary& summary) {
  std::string text;
  for (const auto& [name, share] : summary.finished) {
    text += (text.empty() ? "" : ", ") + std::to_string(share.done) + " of " + std::to_string(share.all) +
            " " + name;
  }
  return text;
}

std::string model_in_words(const RunSummary& summary) {
  std::string text = summary.model_type;
  const auto add = [&](const std::string& words) { text += (text.empty() ? "" : ", ") + words; };
  if (summary.parameters > 0) add(format_count(static_cast<double>(summary.parameters)) + " parameters");
  if (summary.layers > 0) add(plural(summary.layers, "layer"));
  if (summary.moe_layers > 0)
    add(std::to_string(summary.moe_layers) + " with " + plural(summary.experts, "routed expert"));
  if (summary.experts_per_token > 0 && summary.moe_layers > 0)
    add(std::to_string(summary.experts_per_token) + " per token");
  return text;
}

std::string passes_in_words(const RunSummary& summary) {
  std::string text = name_list(summary.passes);
  if (!summary.precision.empty()) text += " (" + summary.precision + ")";
  if (!summary.spectra.empty()) text += "; spectra: " + summary.spectra;
  if (!summary.spectra.empty()) text += summary.sketches ? "; with sketches" : "; without sketches";
  if (!summary.saved.empty()) text += "; saved: " + summary.saved;
  return text;
}

std::string texts_in_words(const RunSummary& summary) {
  std::int64_t tokens = 0;
  std::string domains;
  for (const auto& [name, count] : summary.domains) {
    tokens += count;
    domains += (domains.empty() ? "" : ", ") + name + " " + std::to_string(count);
  }
  return domains.empty() ? "" : plural(static_cast<std::uint64_t>(tokens), "token") + ": " + domains;
}

std::string mark(bool finished) {
  return finished ? "finished" : "-";
}

Table checkpoint_table(const RunSummary& summary) {
  const bool forward = summary.finished.contains("forward passes"),
             weights = summary.finished.contains("tensors"), spectra = summary.finished.contains("spectra");
  const auto known = [&](auto member) { return std::ranges::any_of(summary.checkpoints, member); };
  const bool tokens = known([](const auto&c) { return !std::isnan(c.tokens); }),
             steps = known([](const auto&c) { return !std::isnan(c.step); }),
             phases = known([](const auto&c) { return !c.phase.empty(); });
  std::vector<Table::Column> columns = {{"checkpoint"}};
  if (tokens) columns.push_back({"tokens", Align::right});
  if (steps) columns.push_back({"step", Align::right});
  if (phases) columns.push_back({"phase"});
  if (forward) columns.push_back({"forward pass"});
  if (weights) columns.push_back({"weights"});
  if (spectra) columns.push_back({"spectra"});
  Table table(columns);
  for (const RunSummary::Checkpoint& checkpoint : summary.checkpoints) {
    std::vector<std::string> row = {checkpoint.name};
    if (tokens) row.push_back(std::isnan(checkpoint.tokens) ? "-" : format_count(checkpoint.tokens));
    if (steps) row.push_back(format_value(checkpoint.step, 12));
    if (phases) row.push_back(checkpoint.phase);
    if (forward) row.push_back(mark(checkpoint.forward));
    if (weights) row.push_back(mark(checkpoint.weights));
    if (spectra) row.push_back(mark(checkpoint.spectra));
    table.add(std::move(row));
  }
  return table;
}

Table group_table(const RunSummary& summary) {
  Table table({{"group"}, {"datasets", Align::right}, {"bytes", Align::right}});
  for (const auto& [path, group] : summary.groups)
    table.add({path, std::to_string(group.datasets), format_bytes(static_cast<double>(group.bytes))});
  return table;
}

Json number_or_null(double value) {
  return std::isnan(value) ? Json() : Json(value);
}

Json checkpoint_json(const RunSummary::Checkpoint& checkpoint) {
  return {{"name", checkpoint.name},
          {"tokens_seen", number_or_null(checkpoint.tokens)},
          {"step", number_or_null(checkpoint.step)},
          {"phase", checkpoint.phase},
          {"forward_finished", checkpoint.forward},
          {"weights_finished", checkpoint.weights},
          {"spectra_finished", checkpoint.spectra}};
}

}  // namespace

RunSummary summarize(const RunFile& run) {
  RunSummary summary;
  summary.path = run.path().string();
  summary.bytes = std::filesystem::file_size(run.path());
  summary.format_version = attribute_text(run, "/", "format_version");
  summary.version = attribute_text(run, "/", "moescope_version");
  summary.created = attribute_text(run, "/", "created");
  summary.command_line = attribute_text(run, "/", "command_line");
  summary.model_type = attribute_text(run, "/", "model_type");
  summary.precision = attribute_text(run, "/", "precision");
  read_checkpoints(run, summary);
  read_model(run, summary);
  read_domains(run, summary);
  if (run.contains(dataset::status_forward)) read_passes(run, summary);
  read_status(run, summary);
  read_groups(run, summary);
  summary.notes = read_notes(run);
  return summary;
}

std::string text_of(const RunSummary& summary) {
  Table facts({{""}, {""}});
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) facts.add({name, value});
  };
  add("model", model_in_words(summary));
  add("checkpoints", std::to_string(summary.checkpoints.size()));
  add("texts", texts_in_words(summary));
  add("passes", passes_in_words(summary));
  add("finished", progress_in_words(summary));
  add("made", summary.created + " by moescope " + summary.version + ", format " + summary.format_version);
  add("command", summary.command_line);
  std::string text = bold(std::filesystem::path(summary.path).filename().string()) + ": " +
                     state_in_words(summary) + ", " + format_bytes(static_cast<double>(summary.bytes)) +
                     "\n" + facts.text();
  if (!summary.checkpoints.empty()) text += "\n" + checkpoint_table(summary).text();
  if (!summary.groups.empty()) text += "\n" + group_table(summary).text();
  for (const std::string& note : summary.notes)
    text += (&note == &summary.notes.front() ? "\n" : "") +
            std::string(note.starts_with(warning_mark) ? "" : "note: ") + note + "\n";
  return text;
}

Json json_of(const RunSummary& summary) {
  Json json = {{"kind", "run"},
               {"path", summary.path},
               {"bytes", summary.bytes},
               {"complete", summary.complete},
               {"part", summary.part.empty() ? Json() : Json(summary.part)},
               {"format_version", summary.format_version},
               {"moescope_version", summary.version},
               {"created", summary.created},
               {"command_line", summary.command_line},
               {"model_type", summary.model_type},
               {"layers", summary.layers},
               {"moe_layers", summary.moe_layers},
               {"experts", summary.experts},
               {"experts_per_token", summary.experts_per_token},
               {"parameters", summary.parameters},
               {"passes", summary.passes},
               {"precision", summary.precision},
               {"saved", summary.saved},
               {"spectra", summary.spectra},
               {"sketches", summary.sketches}};
  for (const auto& [name, share] : summary.finished)
    json["finished"][name] = {{"done", share.done}, {"all", share.all}};
  json["checkpoints"] = Json::array();
  for (const RunSummary::Checkpoint& checkpoint : summary.checkpoints)
    json["checkpoints"].push_back(checkpoint_json(checkpoint));
  json["domains"] = Json::array();
  for (const auto& [name, tokens] : summary.domains)
    json["domains"].push_back({{"name", name}, {"tokens", tokens}});
  json["groups"] = Json::object();
  for (const auto& [path, group] : summary.groups)
    json["groups"][path] = {{"datasets", group.datasets}, {"bytes", group.bytes}};
  json["notes"] = summary.notes;
  return json;
}

}  // namespace moescope
