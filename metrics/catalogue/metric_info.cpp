#include "metrics/catalogue/metric_info.h"

#include <stdexcept>

#include "metrics/catalogue/weight_metric_info.h"

namespace moescope {
namespace {

using Axes = std::vector<std::string>;

const Axes by_expert = {"checkpoint", "domain", "moe_layer", "expert"};
const Axes by_domain_layer = {"checkpoint", "domain", "moe_layer"};
const Axes quantile_by_domain_layer = {"quantile", "checkpoint", "domain", "moe_layer"};
const Axes by_layer = {"checkpoint", "moe_layer"};
const Axes pair_by_layer = {"checkpoint", "other_checkpoint", "moe_layer"};
const Axes by_domain = {"checkpoint", "domain"};
const Axes by_checkpoint = {"checkpoint"};

const std::string dots1 = "dots.llm1, arXiv 2506.05767";
const std::string olmoe = "OLMoE, arXiv 2409.02060";
const std::string loss_free = "Wang et al., arXiv 2408.15664";
const std::string deepseek = "DeepSeek-V3, arXiv 2412.19437";
const std::string shazeer = "Shazeer et al., arXiv 1701.06538";
const std::string own = "moescope";

// n_e: tokens routed to expert e; T tokens; E experts, K chosen for each token; p_e = n_e / (K T).
const std::vector<MetricInfo> load_metrics = {
    {"expert_load", "Expert load", "1", by_expert, "n_e / T",
     "Share of the tokens that expert e took; uniform is K/E, and the loads of a layer sum to K.",
     dots1 + ", eq. 1; " + olmoe + ", eq. 7"},
    {"relative_load", "Relative expert load", "1", by_expert, "n_e E / (K T)",
     "Load relative to uniform use: 1 is uniform, 2 is twice the expert's fair share.",
     deepseek + ", fig. 9"},
    {"max_violation", "Maximum load violation (MaxVio)", "1", by_domain_layer, "max_e n_e / mean(n) - 1",
     "How far the busiest expert is above its fair share; 0 is perfect balance, E/K - 1 the worst.",
     loss_free + ", eq. 4"},
    {"min_violation", "Minimum load violation", "1", by_domain_layer, "1 - min_e n_e / mean(n)",
     "How far the idlest expert is below its fair share; 0 is perfect balance, 1 an unused expert.",
     own + ", after " + loss_free},
    {"mean_violation", "Mean load violation", "1", by_domain_layer, "mean_e |n_e / mean(n) - 1|",
     "How far the average expert is from its fair share; 0 is perfect balance.",
     own + ", after " + loss_free},
    {"load_cv", "Coefficient of variation of load", "1", by_domain_layer, "population std(n) / mean(n)",
     "Spread of the loads around their mean; 0 is perfect balance, load_cv_chance what random routing gives.",
     shazeer + ", eq. 7"},
    {"load_cv_chance", "Coefficient of variation of load by chance", "1", by_domain_layer,
     "sqrt((E - K) / (K T))",
     "What load_cv would be if every token chose K experts at random: only the excess over it is imbalance.",
     own},
    {"load_gini", "Gini coefficient of load", "1", by_domain_layer, "sum_i (2i - E - 1) n_(i) / (E sum n)",
     "Inequality of the loads: 0 is perfect balance, 1 - K/E the worst.", "Gini 1912"},
    {"load_entropy", "Normalised entropy of load", "1", by_domain_layer, "H(p) / ln E",
     "Evenness of the loads: 1 is perfect balance; the lowest possible value is ln K / ln E, not 0.", own},
    {"effective_experts", "Effective number of experts", "experts", by_domain_layer, "exp H(p)",
     "How many equally used experts would have the same entropy; between K and E.", own},
    {"dead_experts", "Dead experts", "experts", by_domain_layer, "|{e : n_e = 0}|",
     "Experts that took no token; with few tokens some look dead by chance (attribute chance_by_domain).",
     own},
    {"cold_experts", "Cold experts", "experts", by_domain_layer, "|{e : n_e < 0.1 mean(n)}|",
     "Experts with less than a tenth of their fair share, dead ones included.", own},
    {"hot_experts", "Hot experts", "experts", by_domain_layer, "|{e : n_e > 10 mean(n)}|",
     "Experts with more than ten times their fair share.", own},
    {"max_violation_pooled", "Maximum load violation, all domains", "1", by_layer, "max_e n_e / mean(n) - 1",
     "MaxVio over the tokens of all domains together: imbalance that is not specialisation to a domain.",
     loss_free + ", eq. 4"},
    {"load_cv_pooled", "Coefficient of variation of load, all domains", "1", by_layer,
     "population std(n) / mean(n)",
     "Spread of the loads over the tokens of all domains together; 0 is perfect balance.",
     shazeer + ", eq. 7"},
    {"load_entropy_pooled", "Normalised entropy of load, all domains", "1", by_layer, "H(p) / ln E",
     "Evenness of the loads over the tokens of all domains together; 1 is perfect balance.", own},
};

// pi: the router distribution of a token, softmax(z) or s / sum(s); c: its selection scores; w: combine
// weights.
const std::string router_distribution = deepseek + ", eq. 19";
const std::vector<MetricInfo> router_metrics = {
    {"router_entropy", "Router entropy", "nat", by_domain_layer, "mean_t( -sum_e pi_e ln pi_e )",
     "How undecided the router is, averaged over tokens: ln E is no preference, low is sure.",
     router_distribution},
    {"topk_mass", "Router mass on the chosen experts", "1", by_domain_layer, "mean_t( sum_{e chosen} pi_e )",
     "Share of the router distribution that falls on the chosen experts; K/E is no preference, 1 is sure.",
     router_distribution},
    {"routing_margin", "Routing margin", "1", by_domain_layer, "mean_t( c_(K) - c_(K+1) )",
     "Selection score by which the last chosen expert beats the first one left out; near 0 the choice is "
     "fragile.",
     own},
    {"bias_flip_rate", "Choices made by the correction bias", "1", by_domain_layer,
     "mean_t( |chosen with b minus chosen without b| ) / K",
     "Share of the chosen experts that would not be chosen without the correction bias.", loss_free},
    {"top1_share", "Weight of the strongest expert", "1", by_domain_layer, "mean_t( max(w) / sum(w) )",
     "Share of the combine weights that the strongest expert of a token holds; 1/K is an even mixture.", own},
    {"topk_weight_entropy", "Entropy of the combine weights", "1", by_domain_layer,
     "mean_t( H(w / sum w) ) / ln K",
     "How evenly the chosen experts of a token are mixed: 1 is even, 0 is one expert alone.", own},
    {"router_entropy_quantile", "Router entropy, quantiles", "nat", quantile_by_domain_layer,
     "quantile_t( -sum_e pi_e ln pi_e )",
     "Distribution of the router entropy over tokens: 5 %, median, 95 %.", router_distribution},
    {"topk_mass_quantile", "Router mass on the chosen experts, quantiles", "1", quantile_by_domain_layer,
     "quantile_t( sum_{e chosen} pi_e )",
     "Distribution of the chosen experts' mass over tokens: 5 %, median, 95 %.", router_distribution},
    {"routing_margin_quantile", "Routing margin, quantiles", "1", quantile_by_domain_layer,
     "quantile_t( c_(K) - c_(K+1) )", "Distribution of the routing margin over tokens: 5 %, median, 95 %.",
     own},
    {"router_entropy_pooled", "Router entropy, all domains", "nat", by_layer, "mean_t( -sum_e pi_e ln pi_e )",
     "Router entropy averaged over the tokens of all domains together.", router_distribution},
};

// A, B: the sets of experts that two checkpoints choose for the same token.
const std::vector<MetricInfo> agreement_metrics = {
    {"router_saturation", "Router saturation", "1", by_layer,
     "mean_t( |A_t ∩ B_t| ) / K, B the last checkpoint",
     "Share of the chosen experts that are those of the last checkpoint: how early the routing settled.",
     olmoe + ", eq. 5"},
    {"router_saturation_top1", "Router saturation, first choice", "1", by_layer,
     "share of tokens with the same best expert as at the last checkpoint",
     "Saturation of the expert with the highest selection score alone.", olmoe + ", eq. 5"},
    {"routing_agreement", "Routing agreement", "1", pair_by_layer, "mean_t( |A_t ∩ B_t| ) / K",
     "Share of the chosen experts that two checkpoints have in common; 1 is identical routing.",
     own + ", after " + olmoe + ", eq. 5"},
    {"routing_jaccard", "Routing agreement (Jaccard)", "1", pair_by_layer,
     "mean_t( |A_t ∩ B_t| / |A_t ∪ B_t| )",
     "Overlap of two checkpoints' choices relative to their union; 1 is identical routing.", "Jaccard 1912"},
};

const std::vector<MetricInfo> loss_metrics = {
    {"loss", "Loss", "nat", by_domain, "mean_t( -ln p(next token) )",
     "Mean surprise per predicted token; lower is better.", "Shannon 1951"},
    {"perplexity", "Perplexity", "1", by_domain, "exp(loss)",
     "Number of equally likely tokens that would surprise the model as much; lower is better.",
     "Jelinek 1977"},
    {"loss_pooled", "Loss, all domains", "nat", by_checkpoint, "mean_t( -ln p(next token) )",
     "Mean surprise per predicted token over all domains together; lower is better.", "Shannon 1951"},
    {"perplexity_pooled", "Perplexity, all domains", "1", by_checkpoint, "exp(loss)",
     "Perplexity over the tokens of all domains together; lower is better.", "Jelinek 1977"},
};

std::vector<MetricInfo> all_metrics() {
  std::vector<MetricInfo> all;
  for (const auto& part : {load_metrics, router_metrics, agreement_metrics, loss_metrics, weight_metrics()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace

std::span<const MetricInfo> metric_catalogue() {
  static const std::vector<MetricInfo> catalogue = all_metrics();
  return catalogue;
}

const MetricInfo& metric_info(std::string_view name) {
  for (const MetricInfo& info : metric_catalogue()) {
    if (info.name == name) return info;
  }
  throw std::out_of_range("no metric is called '" + std::string(name) + "'");
}

}  // namespace moescope
