#include "metrics/routing/router_metrics.h"

#include <cmath>
#include <optional>
#include <utility>

#include "metrics/entry/metric_names.h"
#include "metrics/entry/words.h"
#include "metrics/routing/expert_load.h"
#include "metrics/routing/router_distribution.h"

namespace moescope {
namespace {

using namespace words;

const std::string router_distribution = deepseek + ", eq. 19";

constexpr const char* of_maximum = "router entropy, of its maximum ln E";
const std::string of_maximum_reading =
    "How undecided the router is, as a share of the highest entropy ln E: 1 is no preference, low is sure.";

const char* nothing_left_out(const RoutingSizes& sizes) {
  if (sizes.top_k == sizes.experts)
    return "NaN: every token takes all experts (K = E), so that none is left out which the last one could "
           "beat.";
  if (sizes.top_k == sizes.eligible)
    return "NaN: every token takes all experts of the groups that it may choose from, so that none is left "
           "out which the last one could beat.";
  return nullptr;
}

const char* one_chosen(const RoutingSizes& sizes) {
  return sizes.top_k == 1
             ? "NaN: a token takes one expert (K = 1), which has all of the weight: there is no mixture."
             : nullptr;
}

double highest_entropy(std::int64_t experts, std::int64_t) {
  return std::log(static_cast<double>(experts));
}

double even_share(std::int64_t, std::int64_t top_k) {
  return 1 / static_cast<double>(top_k);
}

/// NAME_quantile, of the same numbers of tokens.
Metric quantiles_over_tokens(Metric mean, const std::string& what, std::vector<MetricFigure> figures = {}) {
  mean.name += "_quantile";
  mean.long_name += ", quantiles";
  mean.axes.insert(mean.axes.begin(), "quantile");
  mean.formula = "quantile" + mean.formula.substr(std::string("mean").size());
  mean.description = "Distribution of " + what + " over tokens: 5 %, median, 95 %.";
  mean.figures = std::move(figures);
  mean.summary.reset();
  return mean;
}

/// By layer.
MetricFigure layer_figure(const char* id, const char* title, const char* y_label,
                          std::optional<double> bottom = {}) {
  return {.id = id, .title = title, .section = section::router, .y_label = y_label, .bottom = bottom};
}

Metric router_entropy_entry() {
  return {
      .name = metric::router_entropy,
      .long_name = "Router entropy",
      .unit = "nat",
      .axes = by_domain_layer,
      .formula = "mean_t( -sum_e pi_e ln pi_e )",
      .description = "How undecided the router is, averaged over tokens: ln E is no preference, low is sure.",
      .source = router_distribution,
      .computation = OfTokens{"/routing/entropy"},
      .lower_bound = 0.0,
      .upper_bound = highest_entropy,
      .missing = missing_forward,
      .figures = {{.id = "router_entropy",
                   .title = "Router entropy by layer",
                   .section = section::router,
                   .y_label = of_maximum,
                   .caption = of_maximum_reading + " Averaged over tokens.",
                   .formula = "mean_t( -sum_e pi_e ln pi_e ) / ln E",
                   .of_upper_bound = true}},
      .summary = MetricSummary{.column = "Router entropy", .of_upper_bound = true}};
}

MetricFigure entropy_of_single_tokens() {
  return {.id = "router_entropy_by_domain",
          .title = "Router entropy of single tokens by domain",
          .section = section::router,
          .y_label = of_maximum,
          .caption = of_maximum_reading,
          .formula = "quantile_t( -sum_e pi_e ln pi_e ) / ln E",
          .by_domain = true,
          .of_upper_bound = true};
}

Metric topk_mass_entry() {
  return {.name = metric::topk_mass,
          .long_name = "Router mass on the chosen experts",
          .axes = by_domain_layer,
          .formula = "mean_t( sum_{e chosen} pi_e )",
          .description =
              "Share of the router distribution that falls on the chosen experts; K/E is no preference, 1 is "
              "sure.",
          .source = router_distribution,
          .computation = OfTokens{"/routing/topk_mass"},
          .chance = even_load,
          .lower_bound = 0.0,
          .upper_bound = 1.0,
          .missing = missing_forward,
          .figures = {layer_figure("topk_mass", "Router mass on the chosen experts by layer",
                                   "share of the router distribution")},
          .summary = MetricSummary{}};
}

Metric top1_share_entry() {
  return {.name = "top1_share",
          .long_name = "Weight of the strongest expert",
          .axes = by_domain_layer,
          .formula = "mean_t( max(w) / sum(w) )",
          .description =
              "Share of the combine weights that the strongest expert of a token holds; 1/K is an even "
              "mixture.",
          .source = own,
          .computation = OfTokens{"/routing/top1_share"},
          .lower_bound = even_share,
          .upper_bound = 1.0,
          .missing = missing_forward,
          .figures = {layer_figure("top1_share", "Weight of the strongest expert by layer",
                                   "share of the combine weights")}};
}

Metric topk_weight_entropy_entry() {
  return {
      .name = "topk_weight_entropy",
      .long_name = "Entropy of the combine weights",
      .axes = by_domain_layer,
      .formula = "mean_t( H(w / sum w) ) / ln K",
      .description = "How evenly the chosen experts of a token are mixed: 1 is even, 0 is one expert alone.",
      .source = own,
      .computation = OfTokens{"/routing/topk_weight_entropy"},
      .lower_bound = 0.0,
      .upper_bound = 1.0,
      .missing = missing_forward,
      .undefined = one_chosen};
}

Metric routing_margin_entry() {
  return {
      .name = "routing_margin",
      .long_name = "Routing margin",
      .axes = by_domain_layer,
      .formula = "mean_t( c_(K) - c_(K+1) )",
      .description =
          "Selection score by which the last chosen expert beats the first one left out; near 0 the choice is "
          "fragile.",
      .source = own,
      .computation = OfTokens{"/routing/margin"},
      .lower_bound = 0.0,
      .missing = missing_forward,
      .undefined = nothing_left_out,
      .figures = {
          layer_figure("routing_margin", "Routing margin by layer", "margin of the last chosen expert", 0)}};
}

Metric bias_flip_rate_entry() {
  return {.name = "bias_flip_rate",
          .long_name = "Choices made by the correction bias",
          .axes = by_domain_layer,
          .formula = "mean_t( |chosen with b minus chosen without b| ) / K",
          .description = "Share of the chosen experts that would not be chosen without the correction bias.",
          .source = loss_free,
          .computation = OfTokens{.dataset = "/routing/bias_flips", .of_each_chosen = true},
          .lower_bound = 0.0,
          .upper_bound = bias_flip_rate_bound,
          .missing = missing_forward,
          .figures = {layer_figure("bias_flip_rate", "Choices made by the correction bias by layer",
                                   "share of the chosen experts", 0)}};
}

}  // namespace

// pi: the router distribution of a token, softmax(z) or s / sum(s); c: its selection scores; w: combine
// weights.
std::vector<Metric> router_metrics() {
  return {
      router_entropy_entry(),
      quantiles_over_tokens(router_entropy_entry(), "the router entropy", {entropy_of_single_tokens()}),
      pooled(router_entropy_entry(), "Router entropy, all domains",
             "Router entropy averaged over the tokens of all domains together."),
      topk_mass_entry(),
      quantiles_over_tokens(topk_mass_entry(), "the chosen experts' mass"),
      top1_share_entry(),
      topk_weight_entropy_entry(),
      routing_margin_entry(),
      quantiles_over_tokens(routing_margin_entry(), "the routing margin"),
      bias_flip_rate_entry(),
  };
}

}  // namespace moescope
