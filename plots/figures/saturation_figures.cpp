#include "plots/figures/saturation_figures.h"

#include "metrics/catalogue/catalogue.h"
#include "metrics/entry/metric.h"
#include "metrics/entry/metric_names.h"
#include "plots/figures/line_figures.h"
#include "plots/figures/metric_lines.h"

namespace moescope {
namespace {

/// Of what the last checkpoint chooses, whatever comes after it.
Figure saturation_lines(const RunFile& run, const FigureChoice& choice, const char* name,
                        const std::string& what, const std::string& y_label) {
  const std::string last = read_labels(run).short_checkpoints.back();
  return layer_lines(
      run, choice, metric_named(name),
      {.y_label = y_label + last,
       .caption = what + last + ", the last checkpoint of this run, where it is 1 by definition.",
       .bottom = 0,
       .top = 1});
}

Figure router_saturation_figure(const RunFile& run, const FigureChoice& choice) {
  return saturation_lines(run, choice, metric::router_saturation,
                          "Share of the chosen experts that are those of ", "share of the experts as at ");
}

Figure router_saturation_top1_figure(const RunFile& run, const FigureChoice& choice) {
  return saturation_lines(run, choice, metric::router_saturation_top1,
                          "Share of the tokens whose best expert is that of ",
                          "share with first choice as at ");
}

/// Checkpoint x checkpoint, averaged over layers.
Figure routing_agreement_figure(const RunFile& run, const FigureChoice& choice) {
  const RunLabels labels = read_labels(run);
  const Values agreement = read_metric(run, metric::routing_agreement);
  const std::size_t checkpoints = labels.checkpoints.size();
  Figure figure =
      metric_figure(run, metric::routing_agreement,
                    "Each cell compares two checkpoints, averaged over MoE layers; bright blocks are "
                    "stretches of training in which the routing changed little.");
  name_chosen_layer(figure, choice);
  figure.x.label = figure.y.label = "checkpoint";
  figure.color_scale = ColorScale{.label = "share of experts in common",
                                  .minimum = metric_text(run, metric::routing_agreement).chance.value_or(0),
                                  .maximum = 1};
  Heatmap map = {labels.short_checkpoints, labels.short_checkpoints, {}};
  LayerCoverage coverage;
  for (std::size_t i = 0; i < checkpoints; ++i) {
    for (std::size_t j = 0; j < checkpoints; ++j) {
      std::vector<double> of_layers;
      for (const std::size_t layer : chosen_indices(labels.moe_layers, choice.layer))
        of_layers.push_back(agreement.at(i, j, layer));
      map.values.push_back(mean_of(of_layers));
      coverage.add(labels.checkpoints[i] + " and " + labels.checkpoints[j], of_layers);
    }
  }
  figure.caption += coverage.sentence();
  figure.panels.emplace_back().heatmap = std::move(map);
  return figure;
}

/// Agreement of checkpoints, by layer, their mean first.
HeatmapExplorer agreement_explorer(const RunFile& run) {
  const RunLabels labels = read_labels(run);
  const Values agreement = read_metric(run, metric::routing_agreement);
  const std::size_t checkpoints = labels.checkpoints.size(), layers = labels.moe_layers.size();
  HeatmapExplorer explorer;
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
                      .minimum = metric_text(run, metric::routing_agreement).chance.value_or(0),
                      .maximum = 1}};
  return explorer;
}

}  // namespace

std::vector<FigureEntry> saturation_figures() {
  return {
      {.id = "router_saturation",
       .title = "Router saturation by layer",
       .needs = {metric_path(metric::router_saturation)},
       .checkpoints_needed = 2,
       .build = router_saturation_figure,
       .selects = selects_moe_layer},
      {.id = "router_saturation_top1",
       .title = "Router saturation of the first choice by layer",
       .needs = {metric_path(metric::router_saturation_top1)},
       .checkpoints_needed = 2,
       .build = router_saturation_top1_figure,
       .selects = selects_moe_layer},
      {.id = "routing_agreement",
       .title = "Routing agreement between checkpoints",
       .needs = {metric_path(metric::routing_agreement)},
       .checkpoints_needed = 2,
       .build = routing_agreement_figure,
       .selects = selects_moe_layer,
       .explore = agreement_explorer},
  };
}

}  // namespace moescope
