#include "plots/figures/path_figures.h"

#include <algorithm>
#include <cmath>

#include "metrics/catalogue/catalogue.h"
#include "metrics/entry/metric.h"
#include "metrics/entry/metric_names.h"
#include "metrics/statistics.h"
#include "plots/figure/figure_text.h"
#include "plots/figures/line_figures.h"
#include "plots/figures/metric_lines.h"

namespace moescope {
namespace {

/// The roles shown by themselves where a figure has no room for all.
constexpr std::string_view foremost_roles[] = {whole_model_label, "router", "routed expert", "attention"};

/// Those of the foremost roles that the file has and the model, too: `value_of`(role) is finite.
template <class ValueOf>
std::vector<std::size_t> existing_roles(const RunLabels& labels, ValueOf value_of) {
  std::vector<std::size_t> roles;
  for (const std::string_view name : foremost_roles) {
    const auto found = std::find(labels.roles.begin(), labels.roles.end(), name);
    const auto role = static_cast<std::size_t>(found - labels.roles.begin());
    if (found != labels.roles.end() && std::isfinite(value_of(role))) roles.push_back(role);
  }
  if (roles.empty()) roles.push_back(labels.roles.size() - 1);
  return roles;
}

/// The distance of the first from the last checkpoint in all components, or 1 where they are the same.
double end_to_end(const Values& coordinates, std::size_t role) {
  const std::size_t last = coordinates.shape[0] - 1;
  double square = 0;
  for (std::size_t k = 0; k < coordinates.shape[1]; ++k)
    square += std::pow(coordinates.at(last, k, role) - coordinates.at(0, k, role), 2);
  return square > 0 ? std::sqrt(square) : 1;
}

/// "00T to 01T" of every step.
std::vector<std::string> step_names(const RunLabels& labels) {
  std::vector<std::string> names;
  for (std::size_t c = 1; c < labels.short_checkpoints.size(); ++c)
    names.push_back(labels.short_checkpoints[c - 1] + " to " + labels.short_checkpoints[c]);
  return names;
}

/// (C-1, C-1) of a role; the diagonal is always 1 and left out.
std::vector<double> cosines_of(const Values& direction, std::size_t role) {
  std::vector<double> cosines;
  for (std::size_t i = 0; i < direction.shape[0]; ++i) {
    for (std::size_t j = 0; j < direction.shape[1]; ++j)
      cosines.push_back(i == j ? nan : direction.at(i, j, role));
  }
  return cosines;
}

/// Around a right angle, as far as any of the cosines goes, in steps of a tenth.
ColorScale cosine_scale(const std::vector<double>& cosines) {
  double farthest = 0;
  for (const double cosine : cosines) {
    if (std::isfinite(cosine)) farthest = std::max(farthest, std::abs(cosine));
  }
  const double end = std::clamp(std::ceil(10 * farthest) / 10, 0.1, 1.0);
  return {.label = "cosine of two updates", .minimum = -end, .maximum = end, .centre = 0.0};
}

/// The whole model and the roles that matter most in the plane of their first two principal components.
Figure weight_trajectory_figure(const RunFile& run, const FigureChoice&) {
  const RunLabels labels = read_labels(run);
  const Values coordinates = read_metric(run, metric::role_trajectory_coordinate);
  const Values share = read_metric(run, metric::role_trajectory_share);
  Figure figure = metric_figure(run, metric::role_trajectory_coordinate, "");
  const std::string &first = labels.short_checkpoints.front(), &last = labels.short_checkpoints.back();
  figure.title = "Trajectory of the weights in the plane of most movement";
  figure.caption =
      "Where each checkpoint stands in the plane of the first two principal components; in each panel 1 is "
      "the distance from " +
      first + " to " + last +
      ". A straight line is training in one direction, a turn a change of direction; what moved out of this "
      "plane is not seen. A smooth arc with 61 % and 15 % of the variance is also what a long random walk "
      "gives: only what differs from it tells something.";
  figure.source += "; random walks: Antognini and Sohl-Dickstein, arXiv 1806.08805";
  figure.plane = true;
  figure.x.label = "first component";
  figure.y.label = "second component";
  for (const std::size_t role :
       existing_roles(labels, [&](std::size_t r) { return coordinates.at(0, 0, r); })) {
    const double unit = end_to_end(coordinates, role);
    Panel& panel = figure.panels.emplace_back();
    panel.title = labels.roles[role] + ": " + format_percent(share.at(0, role), 2) + " + " +
                  format_percent(share.at(1, role), 2) + " of variance";
    Series& series = panel.series.emplace_back();
    series.label = labels.roles[role];
    series.color = role;
    series.total = labels.roles[role] == whole_model_label;
    series.point_labels = labels.short_checkpoints;
    for (std::size_t c = 0; c < labels.checkpoints.size(); ++c) {
      series.x.push_back(coordinates.at(c, 0, role) / unit);
      series.y.push_back(coordinates.at(c, 1, role) / unit);
    }
  }
  return figure;
}

/// Cosines between the updates of the whole model.
Figure update_direction_figure(const RunFile& run, const FigureChoice&) {
  const RunLabels labels = read_labels(run);
  const Values direction = read_metric(run, metric::role_update_direction);
  Figure figure = metric_figure(
      run, metric::role_update_direction,
      "Each cell compares two steps between checkpoints; red went the same way, white are right angles, blue "
      "went back. The diagonal, where each step meets itself, is left out. Between random directions of so "
      "many weights the cosine is close to 0.");
  figure.references.clear();
  figure.title = "Direction of the updates";
  figure.x.label = figure.y.label = "step from one checkpoint to the next";
  const std::vector<std::string> names = step_names(labels);
  const std::vector<std::size_t> roles =
      existing_roles(labels, [&](std::size_t r) { return direction.at(0, 0, r); });
  std::vector<double> shown;
  for (std::size_t i = 0; i < std::min<std::size_t>(roles.size(), 2); ++i) {
    Panel& panel = figure.panels.emplace_back();
    panel.title = labels.roles[roles[i]];
    panel.heatmap = Heatmap{names, names, cosines_of(direction, roles[i])};
    shown.insert(shown.end(), panel.heatmap->values.begin(), panel.heatmap->values.end());
  }
  figure.color_scale = cosine_scale(shown);
  return figure;
}

/// Of every role.
HeatmapExplorer update_direction_explorer(const RunFile& run) {
  const RunLabels labels = read_labels(run);
  const Values direction = read_metric(run, metric::role_update_direction);
  HeatmapExplorer explorer;
  explorer.row_name = explorer.column_name = "Step";
  explorer.value_name = "cosine of the two updates";
  explorer.row_labels = explorer.column_labels = step_names(labels);
  Selector selector = {.name = "Role", .labels = {}};
  for (std::size_t role = labels.roles.size(); role-- > 0;) {  // the whole model first
    const std::vector<double> cosines = cosines_of(direction, role);
    if (std::none_of(cosines.begin(), cosines.end(), [](double value) { return std::isfinite(value); }) &&
        role + 1 < labels.roles.size()) {
      continue;
    }
    selector.labels.push_back(labels.roles[role]);
    explorer.values.insert(explorer.values.end(), cosines.begin(), cosines.end());
    explorer.scales.push_back(cosine_scale(cosines));
  }
  explorer.selectors = {{.name = "", .labels = {""}}, std::move(selector)};
  return explorer;
}

Figure weight_path_length_figure(const RunFile& run, const FigureChoice&) {
  const Values norm = read_metric(run, metric::role_norm);
  Figure figure = role_lines(
      run, metric_named(metric::role_path_length),
      {.title = "Length of the weights' path by role", .y_label = "path length, times the norm at {first}"},
      [&](const Values& length, std::size_t c, std::size_t role) {
        return length.at(c, role) / norm.at(0, role);
      });
  figure.caption =
      "How far the weights went from checkpoint to checkpoint, all steps added up, relative to their norm at "
      "the first checkpoint. The path runs straight from one checkpoint to the next: with more checkpoints "
      "in between, the same training is longer, so compare only series of like spacing.";
  figure.formula = "sum_{i<c} norm(D_i) / norm(W_0)";
  figure.y.minimum = 0;
  return figure;
}

}  // namespace

std::vector<FigureEntry> path_figures() {
  return {
      {.id = "weight_trajectory",
       .title = "Trajectory of the weights in the plane of most movement",
       .needs = {metric_path(metric::role_trajectory_coordinate), metric_path(metric::role_trajectory_share)},
       .checkpoints_needed = 3,
       .build = weight_trajectory_figure},
      {.id = "update_direction",
       .title = "Direction of the updates",
       .needs = {metric_path(metric::role_update_direction)},
       .checkpoints_needed = 3,
       .build = update_direction_figure,
       .explore = update_direction_explorer},
      {.id = "weight_path_length",
       .title = "Length of the weights' path by role",
       .needs = {metric_path(metric::role_path_length), metric_path(metric::role_norm)},
       .checkpoints_needed = 2,
       .build = weight_path_length_figure},
  };
}

}  // namespace moescope
