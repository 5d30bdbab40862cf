#include "plots/figures/drift_figures.h"

#include <algorithm>
#include <limits>

#include "plots/figures/line_figures.h"
#include "readers/errors.h"

namespace moescope {

DriftCells::DriftCells(const RunFile& run)
    : labels_(read_labels(run)), by_layer_(read_values(run, "/metrics/layer_relative_drift")) {
  if (run.contains("/metrics/role_relative_drift"))
    by_role_ = read_values(run, "/metrics/role_relative_drift");
  const std::size_t roles = labels_.roles.size();
  for (std::size_t role = 0; role < roles; ++role) {
    bool exists = false;
    for (std::size_t i = role; i < by_layer_.data.size(); i += roles)
      exists |= std::isfinite(by_layer_.data[i]);
    for (std::size_t i = role; i < by_role_.data.size(); i += roles)
      exists |= std::isfinite(by_role_.data[i]);
    if (exists) roles_.push_back(role);
  }
}

Heatmap DriftCells::between(std::size_t from, std::size_t to) const {
  Heatmap map;
  map.column_labels = labels_.layers;
  if (!by_role_.data.empty()) map.column_labels.push_back("all");
  for (const std::size_t role : roles_) {
    map.row_labels.push_back(labels_.roles[role]);
    for (std::size_t layer = 0; layer < labels_.layers.size(); ++layer) {
      map.values.push_back(by_layer_.at(from, to, layer, role));
    }
    if (!by_role_.data.empty()) map.values.push_back(by_role_.at(from, to, role));
  }
  return map;
}

ColorScale DriftCells::scale(bool since_first, bool since_previous) const {
  std::vector<double> drifts;
  const auto add = [&](std::size_t from, std::size_t to) {
    const std::vector<double> values = between(from, to).values;
    drifts.insert(drifts.end(), values.begin(), values.end());
  };
  for (std::size_t to = 1; to < labels_.checkpoints.size(); ++to) {
    if (since_first) add(0, to);
    if (since_previous) add(to - 1, to);
  }
  return drift_scale(drifts);
}

ColorScale drift_scale(const std::vector<double>& drifts) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const double value : drifts) {
    if (!(value > 0) || !std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  ColorScale scale = {.label = "relative drift", .minimum = 0, .maximum = high > 0 ? high : 1};
  if (high > low) {
    scale.minimum = std::max(low, high / 1e4);
    scale.logarithmic = high > 3 * low;
  }
  return scale;
}

namespace {

/// The chosen checkpoint, which must have moved from another.
std::size_t later_checkpoint(const RunLabels& labels, const FigureChoice& choice) {
  const std::size_t index = find_checkpoint(labels, choice.checkpoint);
  if (index > 0) return index;
  throw UsageError("--checkpoint " + choice.checkpoint + ": is the first, from which a drift is measured");
}

void keep_column(Heatmap& map, const std::string& label) {
  const std::size_t columns = map.column_labels.size();
  const std::size_t column = find_label(map.column_labels, label, 0, "layer");
  Heatmap kept{map.row_labels, {label}, {}};
  for (std::size_t row = 0; row < map.row_labels.size(); ++row)
    kept.values.push_back(map.values[row * columns + column]);
  map = std::move(kept);
}

}  // namespace

Figure drift_heatmap_figure(const RunFile& run, const FigureChoice& choice) {
  const RunLabels labels = read_labels(run);
  const std::size_t to = later_checkpoint(labels, choice);
  const DriftCells cells(run);
  Figure figure = metric_figure(run, "layer_relative_drift", "");
  figure.caption =
      "How far the weights of each role moved in each layer, relative to their norm before: 0 is unmoved, 1 "
      "is a move as long as the weights themselves. Grey cells have no value, as the model has no such "
      "weights or they are not finite; the last column is the whole role.";
  figure.references.clear();
  figure.id = "drift_heatmap";
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

Figure expert_drift_figure(const RunFile& run, const FigureChoice& choice) {
  const RunLabels labels = read_labels(run);
  const std::size_t to = later_checkpoint(labels, choice);
  const Values drift = read_values(run, "/metrics/expert_relative_drift");
  Figure figure = metric_figure(run, "expert_relative_drift", "");
  figure.caption =
      "How far each routed expert, its three matrices as one long vector, moved, relative to its norm "
      "before: 0 is unmoved, 1 a move as long as the weights themselves. In a row of one colour all experts "
      "moved alike; a cell that stands out moved farther or less far than its neighbours, or changed places "
      "with another expert.";
  figure.id = "expert_drift";
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

Figure weight_drift_figure(const RunFile& run, const FigureChoice&) {
  Figure figure =
      role_lines(run,
                 {.id = "weight_drift",
                  .title = "Weight drift since the first checkpoint",
                  .metric = "role_relative_drift",
                  .reading = "Measured from the first checkpoint.",
                  .y_label = "relative drift since " + read_labels(run).short_checkpoints.at(0)},
                 [](const Values& drift, std::size_t c, std::size_t role) { return drift.at(0, c, role); });
  figure.y.minimum = 0;
  return figure;
}

Figure weight_step_drift_figure(const RunFile& run, const FigureChoice&) {
  Figure figure = role_lines(
      run,
      {.id = "weight_step_drift",
       .title = "Weight drift between successive checkpoints",
       .metric = "role_relative_drift",
       .reading = "Measured from each checkpoint to the next, and drawn at the later one; unequal gaps "
                  "between checkpoints show as unequal drift.",
       .y_label = "relative drift since the checkpoint before"},
      [](const Values& drift, std::size_t c, std::size_t role) {
        return c == 0 ? std::numeric_limits<double>::quiet_NaN() : drift.at(c - 1, c, role);
      });
  figure.y.logarithmic = true;
  return figure;
}

Figure weight_norm_figure(const RunFile& run, const FigureChoice&) {
  Figure figure = role_lines(run,
                             {.id = "weight_norm",
                              .title = "Norm of the weights relative to the first checkpoint",
                              .metric = "role_norm",
                              .reading = "",
                              .y_label = "norm, times that of " + read_labels(run).short_checkpoints.at(0)},
                             [](const Values& norm, std::size_t c, std::size_t role) {
                               return norm.at(c, role) / norm.at(0, role);
                             });
  figure.caption =
      "Frobenius norm of all weights of a role together, relative to the first checkpoint: above 1 the role "
      "has grown, below 1 it has shrunk.";
  figure.formula = "norm(W_c) / norm(W_first)";
  return figure;
}

}  // namespace moescope
