#include "plots/figures/drift_cells.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "metrics/entry/metric_names.h"
#include "readers/errors.h"

namespace moescope {

DriftCells::DriftCells(const RunFile& run)
    : labels_(read_labels(run)), by_layer_(read_metric(run, metric::layer_relative_drift)) {
  if (has_metric(run, metric::role_relative_drift)) by_role_ = read_metric(run, metric::role_relative_drift);
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

std::size_t later_checkpoint(const RunLabels& labels, const FigureChoice& choice) {
  const std::size_t index = find_checkpoint(labels, choice.checkpoint);
  if (index > 0) return index;
  throw UsageError("--checkpoint " + choice.checkpoint + ": is the first, from which a drift is measured");
}

}  // namespace moescope
