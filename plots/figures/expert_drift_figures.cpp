#include "plots/figures/expert_drift_figures.h"

#include "metrics/entry/metric.h"
#include "metrics/entry/metric_names.h"
#include "plots/figures/drift_cells.h"
#include "plots/figures/line_figures.h"

namespace moescope {
namespace {

/// MoE layers x experts, from the first to the chosen checkpoint.
Figure expert_drift_figure(const RunFile& run, const FigureChoice& choice) {
  const RunLabels labels = read_labels(run);
  const std::size_t to = later_checkpoint(labels, choice);
  const Values drift = read_metric(run, metric::expert_relative_drift);
  Figure figure = metric_figure(run, metric::expert_relative_drift, "");
  figure.caption =
      "How far each routed expert, its three matrices as one long vector, moved, relative to its norm "
      "before: 0 is unmoved, 1 a move as long as the weights themselves. In a row of one colour all experts "
      "moved alike; a cell that stands out moved farther or less far than its neighbours, or changed places "
      "with another expert.";
  figure.title =
      "Drift of single experts from " + labels.short_checkpoints.at(0) + " to " + labels.checkpoints.at(to);
  figure.x.label = "expert";
  figure.y.label = "MoE layer";
  figure.rows_upward = true;
  name_chosen_layer(figure, choice);
  Heatmap map = {{}, labels.experts, {}};
  for (const std::size_t layer : chosen_indices(labels.moe_layers, choice.layer)) {
    map.row_labels.push_back(labels.moe_layers[layer]);
    for (std::size_t expert = 0; expert < labels.experts.size(); ++expert)
      map.values.push_back(drift.at(0, to, layer, expert));
  }
  figure.color_scale = drift_scale(map.values);
  figure.panels.emplace_back().heatmap = std::move(map);
  return figure;
}

/// By checkpoint, since the first or since the one before.
HeatmapExplorer expert_drift_explorer(const RunFile& run) {
  const RunLabels labels = read_labels(run);
  const Values drift = read_metric(run, metric::expert_relative_drift);
  const std::size_t checkpoints = labels.checkpoints.size(), cells = drift.shape[2] * drift.shape[3];
  HeatmapExplorer explorer = expert_explorer(labels);
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

}  // namespace

std::vector<FigureEntry> expert_drift_figures() {
  return {
      {.id = "expert_drift",
       .title = "Drift of single experts since the first checkpoint",
       .needs = {metric_path(metric::expert_relative_drift)},
       .checkpoints_needed = 2,
       .build = expert_drift_figure,
       .selects = selects_checkpoint | selects_moe_layer,
       .explore = expert_drift_explorer},
  };
}

}  // namespace moescope
