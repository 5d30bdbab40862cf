#include "plots/figures/router_figures.h"

#include <algorithm>

#include "plots/figures/line_figures.h"

namespace moescope {
namespace {

constexpr const char* of_maximum = "router entropy, of its maximum ln E";
constexpr const char* of_maximum_reading =
    "How undecided the router is, as a share of the highest entropy ln E: 1 is no preference, low is sure.";

/// Of what the last checkpoint chooses, whatever comes after it.
Figure saturation_lines(const RunFile& run, const FigureChoice& choice, const std::string& metric,
                        const std::string& what, const std::string& y_label) {
  const std::string last = read_labels(run).short_checkpoints.back();
  Figure figure = layer_lines(run, choice,
                              {.id = metric,
                               .metric = metric,
                               .pooled_metric = {},
                               .y_label = y_label + last,
                               .from_zero = true,
                               .top = 1.0});
  figure.caption = what + last + ", the last checkpoint of this run, where it is 1 by definition. " +
                   std::string(layers_reading);
  return figure;
}

}  // namespace

Figure router_entropy_figure(const RunFile& run, const FigureChoice& choice) {
  Figure figure = layer_lines(run, choice,
                              {.id = "router_entropy",
                               .metric = "router_entropy",
                               .pooled_metric = "router_entropy_pooled",
                               .y_label = of_maximum,
                               .unit_size = highest_entropy(read_labels(run))});
  figure.caption = std::string(of_maximum_reading) + " Averaged over tokens. " + layers_reading;
  figure.formula = "mean_t( -sum_e pi_e ln pi_e ) / ln E";
  return figure;
}

Figure topk_mass_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(run, choice,
                     {.id = "topk_mass",
                      .metric = "topk_mass",
                      .pooled_metric = {},
                      .y_label = "share of the router distribution"});
}

Figure routing_margin_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(run, choice,
                     {.id = "routing_margin",
                      .metric = "routing_margin",
                      .pooled_metric = {},
                      .y_label = "margin of the last chosen expert",
                      .from_zero = true});
}

Figure bias_flip_rate_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(run, choice,
                     {.id = "bias_flip_rate",
                      .metric = "bias_flip_rate",
                      .pooled_metric = {},
                      .y_label = "share of the chosen experts",
                      .from_zero = true});
}

Figure top1_share_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(run, choice,
                     {.id = "top1_share",
                      .metric = "top1_share",
                      .pooled_metric = {},
                      .y_label = "share of the combine weights"});
}

Figure router_saturation_figure(const RunFile& run, const FigureChoice& choice) {
  return saturation_lines(run, choice, "router_saturation", "Share of the chosen experts that are those of ",
                          "share of the experts as at ");
}

Figure router_saturation_top1_figure(const RunFile& run, const FigureChoice& choice) {
  return saturation_lines(run, choice, "router_saturation_top1",
                          "Share of the tokens whose best expert is that of ",
                          "share with first choice as at ");
}

Figure router_entropy_by_domain_figure(const RunFile& run, const FigureChoice& choice) {
  const RunLabels labels = read_labels(run);
  const Progress progress = training_progress(labels);
  const Values quantiles = read_values(run, "/metrics/router_entropy_quantile");
  const double unit = highest_entropy(labels);
  LayerCoverage coverage;
  const bool banded = labels.domains.size() <= most_bands;
  Figure figure = metric_figure(run, "router_entropy_quantile", "", unit);
  figure.caption = std::string(of_maximum_reading) + " ";
  figure.caption += banded
                        ? "Line: the median token; band: 5 % to 95 % of the tokens; each averaged over MoE "
                          "layers. A wide band means that tokens differ in it."
                        : "The median token, averaged over MoE layers.";
  figure.formula = "quantile_t( -sum_e pi_e ln pi_e ) / ln E";
  figure.id = "router_entropy_by_domain";
  figure.title = "Router entropy of single tokens by domain";
  name_chosen_layer(figure, choice);
  figure.x = progress.axis;
  figure.y.label = of_maximum;
  Panel& panel = figure.panels.emplace_back();
  const auto over_layers = [&](std::size_t quantile, std::size_t checkpoint, std::size_t domain) {
    std::vector<double> values;
    for (const std::size_t layer : chosen_indices(labels.moe_layers, choice.layer)) {
      values.push_back(quantiles.at(quantile, checkpoint, domain, layer) / unit);
    }
    coverage.add(labels.checkpoints[checkpoint] + ", " + labels.domains[domain], values);
    return mean_of(values);
  };
  for (std::size_t d = 0; d < labels.domains.size(); ++d) {
    Series& series = panel.series.emplace_back(progress_line(labels.domains[d], d, progress));
    for (std::size_t c = 0; c < progress.x.size(); ++c) {
      series.y.push_back(over_layers(1, c, d));
      if (!banded) continue;
      series.low.push_back(over_layers(0, c, d));
      series.high.push_back(over_layers(2, c, d));
    }
  }
  figure.caption += coverage.sentence();
  return figure;
}

Figure routing_agreement_figure(const RunFile& run, const FigureChoice& choice) {
  const RunLabels labels = read_labels(run);
  const Values agreement = read_values(run, "/metrics/routing_agreement");
  const std::size_t checkpoints = labels.checkpoints.size();
  Figure figure =
      metric_figure(run, "routing_agreement",
                    "Each cell compares two checkpoints, averaged over MoE layers; bright blocks are "
                    "stretches of training in which the routing changed little.");
  figure.id = "routing_agreement";
  name_chosen_layer(figure, choice);
  figure.x.label = figure.y.label = "checkpoint";
  figure.color_scale = ColorScale{.label = "share of experts in common",
                                  .minimum = metric_text(run, "routing_agreement").chance.value_or(0),
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

}  // namespace moescope
