#include "plots/figures/pair_maps.h"

#include <span>
#include <utility>

#include "plots/figures/line_figures.h"
#include "plots/figures/run_values.h"

namespace moescope {
namespace {

ColorScale map_scale(const RunFile& run, const Metric& metric, const MetricFigure& what) {
  const MetricText text = metric_text(run, metric.name);
  return {.label = what.y_label, .minimum = text.chance.value_or(0), .maximum = text.upper_bound.value_or(1)};
}

}  // namespace

Figure pair_map(const RunFile& run, const FigureChoice& choice, const Metric& metric,
                const MetricFigure& what) {
  const RunLabels labels = read_labels(run);
  const Values values = read_metric(run, metric.name);
  const std::size_t checkpoints = labels.checkpoints.size();
  Figure figure = metric_figure(run, metric.name, what.reading);
  name_chosen_layer(figure, choice);
  figure.x.label = figure.y.label = "checkpoint";
  figure.color_scale = map_scale(run, metric, what);
  Heatmap map = {labels.short_checkpoints, labels.short_checkpoints, {}};
  LayerCoverage coverage;
  for (std::size_t i = 0; i < checkpoints; ++i) {
    for (std::size_t j = 0; j < checkpoints; ++j) {
      std::vector<double> of_layers;
      for (const std::size_t layer : chosen_indices(labels.moe_layers, choice.layer))
        of_layers.push_back(values.at(i, j, layer));
      map.values.push_back(mean_of(of_layers));
      coverage.add(labels.checkpoints[i] + " and " + labels.checkpoints[j], of_layers);
    }
  }
  figure.caption += coverage.sentence();
  figure.panels.emplace_back().heatmap = std::move(map);
  return figure;
}

HeatmapExplorer pair_explorer(const RunFile& run, const Metric& metric, const MetricFigure& what) {
  const RunLabels labels = read_labels(run);
  const Values values = read_metric(run, metric.name);
  const std::size_t checkpoints = labels.checkpoints.size(), layers = labels.moe_layers.size();
  HeatmapExplorer explorer;
  explorer.row_name = explorer.column_name = "Checkpoint";
  explorer.value_name = what.cell;
  explorer.row_labels = explorer.column_labels = labels.short_checkpoints;
  Selector layer = {.name = "MoE layer", .labels = labels.moe_layers, .initial = 0, .slider = true};
  layer.labels.insert(layer.labels.begin(), "mean of all");
  explorer.selectors = {{.name = "", .labels = {""}}, std::move(layer)};
  const std::span<const double> all(values.data);
  for (std::size_t pair = 0; pair < checkpoints * checkpoints; ++pair) {
    explorer.values.push_back(static_cast<float>(mean_of(all.subspan(pair * layers, layers))));
  }
  for (std::size_t l = 0; l < layers; ++l) {
    for (std::size_t pair = 0; pair < checkpoints * checkpoints; ++pair) {
      explorer.values.push_back(static_cast<float>(all[pair * layers + l]));
    }
  }
  explorer.scales = {map_scale(run, metric, what)};
  return explorer;
}

}  // namespace moescope
