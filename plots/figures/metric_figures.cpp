#include "plots/figures/metric_figures.h"

#include "metrics/catalogue/catalogue.h"
#include "plots/figures/metric_lines.h"
#include "plots/figures/pair_maps.h"

namespace moescope {
namespace {

/// How a metric with these dimensions is drawn, and what of it can be chosen.
void add_drawing(const Metric& metric, const MetricFigure& what, FigureEntry& entry) {
  if (has_axis(metric, "role")) {
    entry.build = [&](const RunFile& run, const FigureChoice&) {
      return role_lines(run, metric, what, [](const Values& values, std::size_t c, std::size_t role) {
        return values.at(c, role);
      });
    };
    return;
  }
  if (has_axis(metric, "other_checkpoint")) {
    entry.selects = selects_moe_layer;
    entry.build = [&](const RunFile& run, const FigureChoice& choice) {
      return pair_map(run, choice, metric, what);
    };
    entry.explore = [&](const RunFile& run) { return pair_explorer(run, metric, what); };
    return;
  }
  const bool by_layer = has_axis(metric, "moe_layer"), by_domain = has_axis(metric, "domain");
  const bool line_per_domain = by_domain && (what.by_domain || !by_layer);
  if (by_layer) entry.selects |= selects_moe_layer;
  if (by_domain && !line_per_domain) entry.selects |= selects_domain;
  const auto lines = has_axis(metric, "quantile") ? token_lines
                     : line_per_domain            ? domain_lines
                                                  : layer_lines;
  entry.build = [&, lines](const RunFile& run, const FigureChoice& choice) {
    return lines(run, choice, metric, what);
  };
}

}  // namespace

std::vector<FigureEntry> metric_figures(std::string_view section) {
  std::vector<FigureEntry> entries;
  for (const Metric& metric : metric_catalogue()) {
    for (const MetricFigure& what : metric.figures) {
      if (what.section != section) continue;
      FigureEntry& entry = entries.emplace_back();
      entry.id = what.id;
      entry.title = what.title;
      entry.needs = {metric_path(metric.name)};
      entry.checkpoints_needed = what.checkpoints_needed;
      add_drawing(metric, what, entry);
    }
  }
  return entries;
}

}  // namespace moescope
