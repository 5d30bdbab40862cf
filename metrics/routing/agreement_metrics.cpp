#include "metrics/routing/agreement_metrics.h"

#include "metrics/entry/metric_names.h"
#include "metrics/entry/words.h"
#include "metrics/routing/router_saturation.h"

namespace moescope {
namespace {

using namespace words;

const Axes with_last = {"checkpoint", "moe_layer"};
const Axes by_pair = {"checkpoint", "other_checkpoint", "moe_layer"};

constexpr const char* missing_saturation =
    "NaN where the forward pass of the checkpoint or that of the last one is not finished, or no token chose "
    "experts in both (/routing/nonfinite_count).";
constexpr const char* missing_agreement =
    "NaN where the forward pass of either checkpoint is not finished, or no token chose experts in both "
    "(/routing/nonfinite_count).";

double agreement_of(const ChoicePair& pair) {
  return mean_agreement(pair.overlaps);
}

double jaccard_of(const ChoicePair& pair) {
  return mean_jaccard(pair.overlaps);
}

double top1_agreement_of(const ChoicePair& pair) {
  return top1_agreement(pair.a, pair.b, pair.top_k);
}

double top1_chance(std::int64_t experts, std::int64_t) {
  return top1_agreement_chance(experts);
}

double least_top1_agreement(std::int64_t experts, std::int64_t) {
  return experts > 1 ? 0 : 1;
}

/// Of what the last checkpoint chooses, whatever comes after it.
MetricFigure saturation_figure(const char* id, const char* title, const char* y_label,
                               const std::string& what) {
  return {.id = id,
          .title = title,
          .section = section::saturation,
          .y_label = y_label,
          .caption = what + "{last}, the last checkpoint of this run, where it is 1 by definition.",
          .bottom = 0,
          .top = 1,
          .checkpoints_needed = 2};
}

}  // namespace

// A, B: the sets of experts that two checkpoints choose for the same token.
std::vector<Metric> agreement_metrics() {
  return {
      {.name = metric::router_saturation,
       .long_name = "Router saturation",
       .axes = with_last,
       .formula = "mean_t( |A_t ∩ B_t| ) / K, B the last checkpoint",
       .description =
           "Share of the chosen experts that are those of the last checkpoint: how early the routing settled.",
       .source = olmoe + ", eq. 5",
       .computation = OfChoices{agreement_of},
       .chance = routing_agreement_chance,
       .lower_bound = routing_agreement_bound,
       .upper_bound = 1.0,
       .missing = missing_saturation,
       .figures = {saturation_figure("router_saturation", "Router saturation by layer",
                                     "share of the experts as at {last}",
                                     "Share of the chosen experts that are those of ")},
       .summary = MetricSummary{.column = "Saturation", .digits = 3, .each_layer = true}},
      {.name = metric::router_saturation_top1,
       .long_name = "Router saturation, first choice",
       .axes = with_last,
       .formula = "share of tokens with the same best expert as at the last checkpoint",
       .description = "Saturation of the expert with the highest selection score alone.",
       .source = olmoe + ", eq. 5",
       .computation = OfChoices{top1_agreement_of},
       .chance = top1_chance,
       .lower_bound = least_top1_agreement,
       .upper_bound = 1.0,
       .missing = missing_saturation,
       .figures = {saturation_figure(
           "router_saturation_top1", "Router saturation of the first choice by layer",
           "share with first choice as at {last}", "Share of the tokens whose best expert is that of ")}},
      {.name = metric::routing_agreement,
       .long_name = "Routing agreement",
       .axes = by_pair,
       .formula = "mean_t( |A_t ∩ B_t| ) / K",
       .description =
           "Share of the chosen experts that two checkpoints have in common; 1 is identical routing.",
       .source = own + ", after " + olmoe + ", eq. 5",
       .computation = OfChoices{agreement_of},
       .chance = routing_agreement_chance,
       .lower_bound = routing_agreement_bound,
       .upper_bound = 1.0,
       .missing = missing_agreement,
       .figures = {{.id = "routing_agreement",
                    .title = "Routing agreement between checkpoints",
                    .section = section::saturation,
                    .y_label = "share of experts in common",
                    .reading =
                        "Each cell compares two checkpoints, averaged over MoE layers; bright blocks are "
                        "stretches of training in which the routing changed little.",
                    .cell = "of the experts in common",
                    .checkpoints_needed = 2}}},
      {.name = "routing_jaccard",
       .long_name = "Routing agreement (Jaccard)",
       .axes = by_pair,
       .formula = "mean_t( |A_t ∩ B_t| / |A_t ∪ B_t| )",
       .description = "Overlap of two checkpoints' choices relative to their union; 1 is identical routing.",
       .source = "Jaccard 1912",
       .computation = OfChoices{jaccard_of},
       .chance = routing_jaccard_chance,
       .lower_bound = routing_jaccard_bound,
       .upper_bound = 1.0,
       .missing = missing_agreement},
  };
}

}  // namespace moescope
