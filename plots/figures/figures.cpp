#include "plots/figures/figures.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "metrics/catalogue/catalogue.h"
#include "metrics/entry/metric_figure.h"
#include "plots/figures/drift_figures.h"
#include "plots/figures/expert_drift_figures.h"
#include "plots/figures/load_figures.h"
#include "plots/figures/metric_figures.h"
#include "plots/figures/pass_figures.h"
#include "plots/figures/path_figures.h"
#include "plots/figures/run_values.h"
#include "plots/figures/sketch_figures.h"
#include "plots/figures/spectrum_figures.h"
#include "plots/figures/weight_figures.h"
#include "readers/errors.h"
#include "readers/run_file/run_file.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"
#include "readers/text/closest_names.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

/// A part of the report: figures that are drawn by code of their own, then those that metrics have by their
/// entries.
struct Section {
  std::string name;
  std::vector<std::vector<FigureEntry> (*)()> files = {};
};

/// In the order of presentation.
std::vector<Section> sections() {
  return {{section::loss},
          {section::load, {load_figures}},
          {section::router},
          {section::saturation},
          {section::weights, {drift_figures, sketch_figures, weight_figures, expert_drift_figures}},
          {section::path, {path_figures}},
          {section::spectra, {spectrum_figures}},
          {section::run, {pass_figures}}};
}

std::vector<FigureEntry> all_entries() {
  std::vector<FigureEntry> all;
  const auto add = [&](const std::string& section, std::vector<FigureEntry> entries) {
    for (FigureEntry& entry : entries) entry.section = section;
    std::ranges::move(entries, std::back_inserter(all));
  };
  for (const Section& section : sections()) {
    for (const auto entries_of : section.files) add(section.name, entries_of());
    add(section.name, metric_figures(section.name));
  }
  return all;
}

}  // namespace

std::span<const FigureEntry> figure_table() {
  static const std::vector<FigureEntry> table = all_entries();
  return table;
}

namespace {

/// Whether anything but NaN is recorded yet; row by row, until something is found.
bool has_value(const RunFile& run, const std::string& dataset) {
  const ElementType type = run.describe(dataset).type;
  if (type != ElementType::f4 && type != ElementType::f8) return true;
  Slab row{{}, run.shape(dataset)};
  row.start.resize(row.count.size());
  for (const std::uint64_t rows = std::exchange(row.count.at(0), 1); row.start[0] < rows; ++row.start[0]) {
    const std::vector<double> values = run.read<double>(dataset, row);
    if (!std::ranges::all_of(values, [](double value) { return std::isnan(value); })) return true;
  }
  return false;
}

/// Of a dataset that a run file may have; none of any other.
std::vector<std::string> dimensions_of(std::string_view path) {
  constexpr std::string_view metrics = "/metrics/";
  if (path.starts_with(metrics)) {
    const Metric* metric = find_metric(path.substr(metrics.size()));
    return metric == nullptr ? std::vector<std::string>{} : metric->axes;
  }
  const auto row = std::ranges::find(raw_datasets(), path, &DatasetRow::path);
  return row == raw_datasets().end() ? std::vector<std::string>{} : row->dimensions;
}

bool is_of_experts(std::string_view path) {
  const std::vector<std::string> dimensions = dimensions_of(path);
  return std::ranges::find(dimensions, "moe_layer") != dimensions.end();
}

/// What the model lacks, where that is why a dataset is not there; else nothing.
std::string lack_of_model(const RunFile& run, const std::string& path) {
  const bool is_dense = run.contains(dataset::moe_layer) && run.shape(dataset::moe_layer).at(0) == 0;
  if (is_dense && is_of_experts(path)) return "the model has no routed experts";
  const bool has_routing = run.contains(dataset::routing_entropy);
  if (has_routing && path == "/metrics/bias_flip_rate") return "the model has no score correction bias";
  return {};
}

/// Why a figure cannot be drawn without this dataset; nothing where it is there.
std::string dataset_unavailable(const RunFile& run, const std::string& path) {
  const std::string lack = lack_of_model(run, path);
  if (!run.contains(path)) return lack.empty() ? "the run file holds no " + path : lack;
  for (const std::uint64_t extent : checked_shape(run, path)) {
    if (extent == 0) return lack.empty() ? path + " is empty" : lack;
  }
  if (!has_value(run, path)) return path + " holds no number: it is not measured yet, or not defined here";
  return {};
}

}  // namespace

std::string figure_unavailable(const RunFile& run, const FigureEntry& entry) {
  for (const std::string& path : entry.needs) {
    if (const std::string reason = dataset_unavailable(run, path); !reason.empty()) return reason;
  }
  const std::uint64_t checkpoints = run.shape(dataset::checkpoint).at(0);
  if (checkpoints >= entry.checkpoints_needed) return {};
  if (checkpoints > 1) return "it shows a change of direction, and the run file holds two checkpoints";
  return "it shows a change, and the run file holds one checkpoint";
}

namespace {

/// The ids of the figures for which a selection means something.
std::vector<std::string> figures_selecting(unsigned selection) {
  std::vector<std::string> ids;
  for (const FigureEntry& entry : figure_table()) {
    if (entry.selects & selection) ids.push_back(entry.id);
  }
  return ids;
}

/// The label that `given` means, or nothing where nothing was given.
std::string chosen_label(const FigureEntry& entry, const std::vector<std::string>& labels,
                         const std::string& given, const std::string& what, unsigned selection) {
  if (given.empty()) return given;
  if (entry.selects & selection) return labels[find_label(labels, given, 0, what)];
  throw UsageError("figure '" + entry.id + "': --" + what + " chooses nothing there",
                   "it chooses in " + name_list(figures_selecting(selection)));
}

FigureChoice known_choice(const RunFile& run, const FigureEntry& entry, const FigureChoice& choice) {
  const RunLabels labels = read_labels(run);
  const auto& layers = entry.selects & selects_layer ? labels.layers : labels.moe_layers;
  return {chosen_label(entry, labels.checkpoints, choice.checkpoint, "checkpoint", selects_checkpoint),
          chosen_label(entry, labels.domains, choice.domain, "domain", selects_domain),
          chosen_label(entry, layers, choice.layer, "layer", selects_moe_layer | selects_layer)};
}

}  // namespace

Figure figure_of(const RunFile& run, const FigureEntry& entry, const FigureChoice& choice) {
  Figure figure = entry.build(run, choice);
  figure.id = entry.id;
  return figure;
}

std::optional<HeatmapExplorer> explorer_of(const RunFile& run, const FigureEntry& entry) {
  if (!entry.explore) return std::nullopt;
  HeatmapExplorer explorer = entry.explore(run);
  explorer.id = entry.id;
  return explorer;
}

Figure build_figure(const RunFile& run, std::string_view id, const FigureChoice& choice) {
  std::vector<std::string> ids;
  for (const FigureEntry& entry : figure_table()) {
    ids.push_back(entry.id);
    if (entry.id != id) continue;
    const FigureChoice known = known_choice(run, entry, choice);
    const std::string reason = figure_unavailable(run, entry);
    if (!reason.empty()) throw FormatError(run.path().string(), "figure '" + entry.id + "'", reason);
    Figure figure = figure_of(run, entry, known);
    if (!has_number(figure))
      throw FormatError(run.path().string(), "figure '" + entry.id + "'", figure_without_number);
    return figure;
  }
  const std::vector<std::string> near = closest_names(id, ids);
  throw UsageError(
      "no figure is called '" + std::string(id) + "'",
      (near.empty() ? "" : "did you mean " + name_list(near) + "? ") + "moescope plot --list names them all");
}

}  // namespace moescope
