#include "plots/figures/heatmap_explorer.h"

#include <algorithm>

#include "plots/figures/drift_figures.h"
#include "plots/figures/load_figures.h"
#include "plots/figures/path_figures.h"
#include "plots/figures/run_values.h"
#include "plots/figures/spectrum_figures.h"

namespace moescope {
namespace {

void append(std::vector<float>& all, std::span<const double> values) {
  for (const double value : values) all.push_back(static_cast<float>(value));
}

Selector checkpoint_slider(const std::vector<std::string>& labels) {
  return {.name = "Checkpoint", .labels = labels, .initial = labels.size() - 1, .slider = true};
}

/// To which checkpoint, and since which one.
std::vector<Selector> drift_selectors(const RunLabels& labels) {
  const std::vector<std::string>& names = labels.short_checkpoints;
  return {checkpoint_slider({names.begin() + 1, names.end()}),
          {.name = "Since", .labels = {"the first checkpoint", "the checkpoint before"}}};
}

/// MoE layers x experts, the first layer at the bottom.
HeatmapExplorer of_experts(const RunLabels& labels) {
  HeatmapExplorer explorer;
  explorer.row_name = "MoE layer";
  explorer.column_name = "Expert";
  explorer.row_labels = labels.moe_layers;
  explorer.column_labels = labels.experts;
  explorer.rows_upward = true;
  return explorer;
}

}  // namespace

bool is_all_zero(const HeatmapExplorer& explorer) {
  const auto is_zero = [](float value) { return value == 0; };
  return std::ranges::any_of(explorer.values, is_zero) &&
         std::ranges::all_of(explorer.values,
                             [&](float value) { return std::isnan(value) || is_zero(value); });
}

HeatmapExplorer load_explorer(const RunFile& run) {
  const RunLabels labels = read_labels(run);
  const Values load = read_values(run, "/metrics/relative_load");
  const Values pooled = average_over_domains(run, load);
  const std::size_t domains = labels.domains.size();
  const std::size_t cells = labels.moe_layers.size() * labels.experts.size();
  HeatmapExplorer explorer = of_experts(labels);
  explorer.id = "load_heatmap";
  explorer.value_name = "times an even share";
  Selector domain = {.name = "Domain", .labels = labels.domains, .initial = 0, .slider = false};
  domain.labels.insert(domain.labels.begin(), "all domains");
  explorer.selectors = {checkpoint_slider(labels.short_checkpoints), std::move(domain)};
  explorer.selectors[0].initial = last_measured(load);
  for (std::size_t c = 0; c < labels.checkpoints.size(); ++c) {
    append(explorer.values, std::span(pooled.data).subspan(c * cells, cells));
    append(explorer.values, std::span(load.data).subspan(c * domains * cells, domains * cells));
  }
  explorer.scales = {relative_load_scale()};
  explorer.sortable = true;
  explorer.even_share = metric_text(run, "expert_load").chance;
  return explorer;
}

HeatmapExplorer drift_explorer(const RunFile& run) {
  const RunLabels labels = read_labels(run);
  const DriftCells cells(run);
  HeatmapExplorer explorer;
  explorer.id = "drift_heatmap";
  explorer.row_name = "Role";
  explorer.column_name = "Layer";
  explorer.value_name = "relative drift";
  explorer.selectors = drift_selectors(labels);
  for (std::size_t to = 1; to < labels.checkpoints.size(); ++to) {
    for (const std::size_t from : {std::size_t{0}, to - 1}) {
      const Heatmap map = cells.between(from, to);
      explorer.row_labels = map.row_labels;
      explorer.column_labels = map.column_labels;
      append(explorer.values, map.values);
    }
  }
  explorer.scales = {cells.scale(true, false), cells.scale(false, true)};
  explorer.own_scale = true;
  return explorer;
}

HeatmapExplorer expert_drift_explorer(const RunFile& run) {
  const RunLabels labels = read_labels(run);
  const Values drift = read_values(run, "/metrics/expert_relative_drift");
  const std::size_t checkpoints = labels.checkpoints.size(), cells = drift.shape[2] * drift.shape[3];
  HeatmapExplorer explorer = of_experts(labels);
  explorer.id = "expert_drift";
  explorer.value_name = "relative drift";
  explorer.selectors = drift_selectors(labels);
  std::vector<double> shown[2];  // since the first checkpoint, since the one before
  for (std::size_t to = 1; to < checkpoints; ++to) {
    for (const std::size_t since : {0, 1}) {
      const std::size_t from = since == 0 ? 0 : to - 1;
      const auto values =
          std::span<const double>(drift.data).subspan((from * checkpoints + to) * cells, cells);
      append(explorer.values, values);
      shown[since].insert(shown[since].end(), values.begin(), values.end());
    }
  }
  explorer.scales = {drift_scale(shown[0]), drift_scale(shown[1])};
  explorer.own_scale = true;
  return explorer;
}

HeatmapExplorer agreement_explorer(const RunFile& run) {
  const RunLabels labels = read_labels(run);
  const Values agreement = read_values(run, "/metrics/routing_agreement");
  const std::size_t checkpoints = labels.checkpoints.size(), layers = labels.moe_layers.size();
  HeatmapExplorer explorer;
  explorer.id = "routing_agreement";
  explorer.row_name = explorer.column_name = "Checkpoint";
  explorer.value_name = "of the experts in common";
  explorer.row_labels = explorer.column_labels = labels.short_checkpoints;
  Selector layer = {.name = "MoE layer", .labels = labels.moe_layers, .initial = 0, .slider = true};
  layer.labels.insert(layer.labels.begin(), "mean of all");
  explorer.selectors = {{.name = "", .labels = {""}}, std::move(layer)};
  const std::span<const double> all(agreement.data);
  for (std::size_t pair = 0; pair < checkpoints * checkpoints; ++pair) {
    explorer.values.push_back(static_cast<float>(mean_of(all.subspan(pair * layers, layers))));
  }
  for (std::size_t l = 0; l < layers; ++l) {
    for (std::size_t pair = 0; pair < checkpoints * checkpoints; ++pair) {
      explorer.values.push_back(static_cast<float>(all[pair * layers + l]));
    }
  }
  explorer.scales = {{.label = "share of experts in common",
                      .minimum = metric_text(run, "routing_agreement").chance.value_or(0),
                      .maximum = 1}};
  return explorer;
}

std::optional<HeatmapExplorer> find_explorer(const RunFile& run, const std::string& id) {
  if (id == "load_heatmap") return load_explorer(run);
  if (id == "drift_heatmap") return drift_explorer(run);
  if (id == "expert_drift") return expert_drift_explorer(run);
  if (id == "update_direction") return update_direction_explorer(run);
  if (id == "router_row_cosine") return router_row_cosine_explorer(run);
  if (id == "routing_agreement") return agreement_explorer(run);
  return std::nullopt;
}

}  // namespace moescope
