#include "plots/figures/drift_figures.h"

#include <algorithm>
#include <limits>

#include "metrics/catalogue/catalogue.h"
#include "metrics/entry/metric.h"
#include "metrics/entry/metric_names.h"
#include "plots/figures/drift_cells.h"
#include "plots/figures/line_figures.h"
#include "plots/figures/metric_lines.h"

namespace moescope {
namespace {

void keep_column(Heatmap& map, const std::string& label) {
  const std::size_t columns = map.column_labels.size();
  const std::size_t column = find_label(map.column_labels, label, 0, "layer");
  Heatmap kept{map.row_labels, {label}, {}};
  for (std::size_t row = 0; row < map.row_labels.size(); ++row)
    kept.values.push_back(map.values[row * columns + column]);
  map = std::move(kept);
}

/// Roles x layers at the chosen checkpoint: drift since the first and since the previous checkpoint.
Figure drift_heatmap_figure(const RunFile& run, const FigureChoice& choice) {
  const RunLabels labels = read_labels(run);
  const std::size_t to = later_checkpoint(labels, choice);
  const DriftCells cells(run);
  Figure figure = metric_figure(run, metric::layer_relative_drift, "");
  figure.caption =
      "How far the weights of each role moved in each layer, relative to their norm before: 0 is unmoved, 1 "
      "is a move as long as the weights themselves. Grey cells have no value, as the model has no such "
      "weights or they are not finite; the last column is the whole role.";
  figure.references.clear();
  figure.title = "Weight drift at " + labels.checkpoints.at(to);
  figure.x.label = "layer";
  figure.color_scale = cells.scale(true, true);
  for (const std::size_t from : {std::size_t{0}, to - 1}) {
    if (!figure.panels.empty() && from == 0) continue;
    Panel& panel = figure.panels.emplace_back();
    panel.title = "since " + labels.short_checkpoints[from];
    panel.heatmap = cells.between(from, to);
    if (!choice.layer.empty()) keep_column(*panel.heatmap, choice.layer);
  }
  name_chosen_layer(figure, choice);
  return figure;
}

/// Drift by checkpoint, since the first or since the one before.
HeatmapExplorer drift_explorer(const RunFile& run) {
  const RunLabels labels = read_labels(run);
  const DriftCells cells(run);
  HeatmapExplorer explorer;
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

Figure weight_drift_figure(const RunFile& run, const FigureChoice&) {
  Figure figure =
      role_lines(run, metric_named(metric::role_relative_drift),
                 {.title = "Weight drift since the first checkpoint",
                  .y_label = "relative drift since {first}",
                  .reading = "Measured from the first checkpoint."},
                 [](const Values& drift, std::size_t c, std::size_t role) { return drift.at(0, c, role); });
  figure.y.minimum = 0;
  return figure;
}

Figure weight_step_drift_figure(const RunFile& run, const FigureChoice&) {
  Figure figure = role_lines(
      run, metric_named(metric::role_relative_drift),
      {.title = "Weight drift between successive checkpoints",
       .y_label = "relative drift since the checkpoint before",
       .reading = "Measured from each checkpoint to the next, and drawn at the later one; unequal gaps "
                  "between checkpoints show as unequal drift."},
      [](const Values& drift, std::size_t c, std::size_t role) {
        return c == 0 ? std::numeric_limits<double>::quiet_NaN() : drift.at(c - 1, c, role);
      });
  figure.y.logarithmic = true;
  return figure;
}

}  // namespace

std::vector<FigureEntry> drift_figures() {
  return {
      {.id = "drift_heatmap",
       .title = "Weight drift by layer and role",
       .needs = {metric_path(metric::layer_relative_drift)},
       .checkpoints_needed = 2,
       .build = drift_heatmap_figure,
       .selects = selects_checkpoint | selects_layer,
       .explore = drift_explorer},
      {.id = "weight_drift",
       .title = "Weight drift since the first checkpoint by role",
       .needs = {metric_path(metric::role_relative_drift)},
       .checkpoints_needed = 2,
       .build = weight_drift_figure},
      {.id = "weight_step_drift",
       .title = "Weight drift between successive checkpoints by role",
       .needs = {metric_path(metric::role_relative_drift)},
       .checkpoints_needed = 2,
       .build = weight_step_drift_figure},
  };
}

}  // namespace moescope
