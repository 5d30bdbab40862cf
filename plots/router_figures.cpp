#include "plots/router_figures.h"

#include <algorithm>

#include "plots/line_figures.h"

namespace moescope {
namespace {

/// The entropy of a router without any preference, by which entropies are normalised.
double highest_entropy(const RunFile& run) {
  return std::log(static_cast<double>(std::max<std::size_t>(read_labels(run).experts.size(), 2)));
}

constexpr const char* of_maximum = "router entropy, of its maximum ln E";

}  // namespace

Figure router_entropy_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(run, choice,
                     {.id = "router_entropy",
                      .metric = "router_entropy",
                      .pooled_metric = "router_entropy_pooled",
                      .y_label = of_maximum,
                      .unit_size = highest_entropy(run)});
}

Figure topk_mass_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(run, choice,
                     {.id = "topk_mass",
                      .metric = "topk_mass",
                      .pooled_metric = {},
                      .y_label = "share of the router distribution",
                      .from_zero = true,
                      .top = 1.0});
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
  return layer_lines(run, choice,
                     {.id = "router_saturation",
                      .metric = "router_saturation",
                      .pooled_metric = {},
                      .y_label = "share of the final top-K already chosen",
                      .from_zero = true,
                      .top = 1.0});
}

Figure router_saturation_top1_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(run, choice,
                     {.id = "router_saturation_top1",
                      .metric = "router_saturation_top1",
                      .pooled_metric = {},
                      .y_label = "share of tokens with the final first choice",
                      .from_zero = true,
                      .top = 1.0});
}

Figure router_entropy_by_domain_figure(const RunFile& run, const FigureChoice&) {
  const RunLabels labels = read_labels(run);
  const Progress progress = training_progress(labels);
  const Values quantiles = read_values(run, "/metrics/router_entropy_quantile");
  const double unit = highest_entropy(run);
  const bool banded = labels.domains.size() <= most_bands;
  Figure figure = metric_figure(run, "router_entropy_quantile", "", unit);
  figure.caption = "How undecided the router is for single tokens. ";
  figure.caption += banded ? "Line: the median token; band: 5 % to 95 % of the tokens; each averaged over "
                             "MoE layers. A wide band "
                             "means that the router is sure for some tokens only."
                           : "The median token, averaged over MoE layers.";
  figure.id = "router_entropy_by_domain";
  figure.title = "Router entropy of single tokens by domain";
  figure.x = progress.axis;
  figure.y.label = of_maximum;
  Panel& panel = figure.panels.emplace_back();
  const auto over_layers = [&](std::size_t quantile, std::size_t checkpoint, std::size_t domain) {
    std::vector<double> values;
    for (std::size_t layer = 0; layer < labels.moe_layers.size(); ++layer) {
      values.push_back(quantiles.at(quantile, checkpoint, domain, layer) / unit);
    }
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
  return figure;
}

Figure routing_agreement_figure(const RunFile& run, const FigureChoice&) {
  const RunLabels labels = read_labels(run);
  const Values agreement = read_values(run, "/metrics/routing_agreement");
  const std::size_t checkpoints = labels.checkpoints.size(), layers = labels.moe_layers.size();
  Figure figure =
      metric_figure(run, "routing_agreement",
                    "Each cell compares two checkpoints, averaged over MoE layers; bright blocks are "
                    "stretches of training in which the routing stayed the same.");
  figure.id = "routing_agreement";
  figure.x.label = figure.y.label = "checkpoint";
  figure.color_scale = ColorScale{.label = "share of experts in common",
                                  .minimum = metric_text(run, "routing_agreement").chance.value_or(0),
                                  .maximum = 1};
  Heatmap map = {labels.short_checkpoints, labels.short_checkpoints, {}};
  for (std::size_t i = 0; i < checkpoints; ++i) {
    for (std::size_t j = 0; j < checkpoints; ++j) {
      const std::span<const double> all(agreement.data);
      map.values.push_back(mean_of(all.subspan((i * checkpoints + j) * layers, layers)));
    }
  }
  figure.panels.emplace_back().heatmap = std::move(map);
  return figure;
}

}  // namespace moescope
