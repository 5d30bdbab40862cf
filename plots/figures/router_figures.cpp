#include "plots/figures/router_figures.h"

#include <algorithm>

#include "plots/figures/line_figures.h"

namespace moescope {
namespace {

constexpr const char* of_maximum = "router entropy, of its maximum ln E";
constexpr const char* of_maximum_reading =
    "How undecided the router is, as a share of the highest entropy ln E: 1 is no preference, low is sure.";

Figure router_entropy_figure(const RunFile& run, const FigureChoice& choice) {
  Figure figure = layer_lines(run, choice,
                              {.metric = "router_entropy",
                               .pooled_metric = "router_entropy_pooled",
                               .y_label = of_maximum,
                               .unit_size = highest_entropy(read_labels(run))});
  figure.caption = std::string(of_maximum_reading) + " Averaged over tokens. " + layers_reading;
  figure.formula = "mean_t( -sum_e pi_e ln pi_e ) / ln E";
  return figure;
}

Figure topk_mass_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(
      run, choice,
      {.metric = "topk_mass", .pooled_metric = {}, .y_label = "share of the router distribution"});
}

Figure routing_margin_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(run, choice,
                     {.metric = "routing_margin",
                      .pooled_metric = {},
                      .y_label = "margin of the last chosen expert",
                      .from_zero = true});
}

Figure bias_flip_rate_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(run, choice,
                     {.metric = "bias_flip_rate",
                      .pooled_metric = {},
                      .y_label = "share of the chosen experts",
                      .from_zero = true});
}

Figure top1_share_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(
      run, choice, {.metric = "top1_share", .pooled_metric = {}, .y_label = "share of the combine weights"});
}

/// Tokens' router entropy by domain: median over tokens with the 5 % to 95 % band, averaged over layers.
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

}  // namespace

std::vector<FigureEntry> router_figures() {
  const std::string section = "Router";
  return {
      {.id = "router_entropy",
       .title = "Router entropy by layer",
       .section = section,
       .needs = {"/metrics/router_entropy"},
       .build = router_entropy_figure,
       .selects = selects_domain | selects_moe_layer},
      {.id = "router_entropy_by_domain",
       .title = "Router entropy of single tokens by domain",
       .section = section,
       .needs = {"/metrics/router_entropy_quantile"},
       .build = router_entropy_by_domain_figure,
       .selects = selects_moe_layer},
      {.id = "topk_mass",
       .title = "Router mass on the chosen experts by layer",
       .section = section,
       .needs = {"/metrics/topk_mass"},
       .build = topk_mass_figure,
       .selects = selects_domain | selects_moe_layer},
      {.id = "top1_share",
       .title = "Weight of the strongest expert by layer",
       .section = section,
       .needs = {"/metrics/top1_share"},
       .build = top1_share_figure,
       .selects = selects_domain | selects_moe_layer},
      {.id = "routing_margin",
       .title = "Routing margin by layer",
       .section = section,
       .needs = {"/metrics/routing_margin"},
       .build = routing_margin_figure,
       .selects = selects_domain | selects_moe_layer},
      {.id = "bias_flip_rate",
       .title = "Choices made by the correction bias by layer",
       .section = section,
       .needs = {"/metrics/bias_flip_rate"},
       .build = bias_flip_rate_figure,
       .selects = selects_domain | selects_moe_layer},
  };
}

}  // namespace moescope
