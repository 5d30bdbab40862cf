#include "plots/figures/sketch_figures.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "metrics/entry/metric.h"
#include "metrics/entry/metric_names.h"
#include "plots/figure/figure_text.h"
#include "plots/figures/line_figures.h"

namespace moescope {
namespace {

constexpr double standard_errors = 2;  // of a band, to each side

/// Most of the weights are in these; a panel each.
constexpr std::string_view shown_roles[] = {whole_model_label, "routed expert", "attention", "embedding"};

/// Since the first checkpoint, (C, C, R) each.
struct Drifts {
  Values exact, estimated, error;
};

/// By sketch, divided by unit_of(checkpoint).
template <class UnitOf>
Series estimates(const Progress& progress, const Drifts& drifts, std::size_t role, UnitOf unit_of) {
  Series series = progress_line("by sketch", 0, progress);
  for (std::size_t c = 0; c < progress.x.size(); ++c) {
    const double value = drifts.estimated.at(0, c, role) / unit_of(c);
    const double reach = standard_errors * drifts.error.at(0, c, role) / unit_of(c);
    series.y.push_back(value);
    series.low.push_back(value - reach);
    series.high.push_back(value + reach);
  }
  return series;
}

Series exact_line(const Progress& progress, const Drifts& drifts, std::size_t role) {
  Series series = progress_line("exact", 0, progress);
  series.total = true;
  for (std::size_t c = 0; c < progress.x.size(); ++c) series.y.push_back(drifts.exact.at(0, c, role));
  return series;
}

/// A panel for each of the shown roles, with the lines_of(drifts, progress, role).
template <class LinesOf>
Figure by_role(const RunFile& run, const std::string& reading, LinesOf lines_of) {
  const RunLabels labels = read_labels(run);
  const Progress progress = training_progress(labels);
  const Drifts drifts = {read_metric(run, metric::role_relative_drift),
                         read_metric(run, metric::role_sketched_drift),
                         read_metric(run, metric::role_sketched_drift_error)};
  Figure figure = metric_figure(run, metric::role_sketched_drift, reading);
  figure.x = progress.axis;
  for (const std::string_view name : shown_roles) {
    const auto found = std::find(labels.roles.begin(), labels.roles.end(), name);
    if (found == labels.roles.end()) continue;
    const auto role = static_cast<std::size_t>(found - labels.roles.begin());
    figure.panels.push_back({labels.roles[role], lines_of(drifts, progress, role), {}});
  }
  return figure;
}

/// Where the exact drift is not known, the estimate stands alone.
Figure sketched_drift_figure(const RunFile& run, const FigureChoice&) {
  const auto lines = [](const Drifts& drifts, const Progress& progress, std::size_t role) {
    return std::vector<Series>{exact_line(progress, drifts, role),
                               estimates(progress, drifts, role, [](std::size_t) { return 1.0; })};
  };
  Figure figure = by_role(run, "Band: two standard errors to each side.", lines);
  figure.title = "Weight drift by sketch beside exact";
  figure.y.label = "relative drift since " + read_labels(run).short_checkpoints.at(0);
  figure.y.minimum = 0;
  return figure;
}

/// The estimate divided by the exact drift.
Figure sketched_drift_ratio_figure(const RunFile& run, const FigureChoice&) {
  const auto lines = [](const Drifts& drifts, const Progress& progress, std::size_t role) {
    const auto exact = [&](std::size_t c) {
      return c == 0 ? std::numeric_limits<double>::quiet_NaN() : drifts.exact.at(0, c, role);
    };
    return std::vector<Series>{estimates(progress, drifts, role, exact)};
  };
  Figure figure = by_role(run,
                          "Divided by the exact drift: 1 is exact, and bands, two standard errors to each "
                          "side, should hold it mostly. Errors of one tensor at successive checkpoints are "
                          "alike, because its sketch has the same signs.",
                          lines);
  figure.title = "Weight drift by sketch relative to exact";
  figure.y.label = "drift by sketch / exact drift, since " + read_labels(run).short_checkpoints.at(0);
  figure.references = {{1, ""}};
  return figure;
}

}  // namespace

std::vector<FigureEntry> sketch_figures() {
  const std::vector<std::string> by_sketch = {metric_path(metric::role_sketched_drift),
                                              metric_path(metric::role_sketched_drift_error),
                                              metric_path(metric::role_relative_drift)};
  return {
      {.id = "sketched_drift",
       .title = "Weight drift by sketch beside exact by role",
       .needs = by_sketch,
       .checkpoints_needed = 2,
       .build = sketched_drift_figure},
      {.id = "sketched_drift_ratio",
       .title = "Weight drift by sketch relative to exact by role",
       .needs = by_sketch,
       .checkpoints_needed = 2,
       .build = sketched_drift_ratio_figure},
  };
}

}  // namespace moescope
