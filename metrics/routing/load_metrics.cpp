#include "metrics/routing/load_metrics.h"

#include "metrics/entry/metric_names.h"
#include "metrics/entry/words.h"
#include "metrics/routing/expert_load.h"
#include "metrics/routing/load_chance.h"

namespace moescope {
namespace {

using namespace words;

const Axes by_expert = {"checkpoint", "domain", "moe_layer", "expert"};

const std::string dots1 = "dots.llm1, arXiv 2506.05767";
const std::string shazeer = "Shazeer et al., arXiv 1701.06538";

const char* one_expert(const RoutingSizes& sizes) {
  return sizes.experts < 2
             ? "NaN: there is one expert, and so no scale between no entropy and the most, ln E = 0."
             : nullptr;
}

/// Where every token takes every expert, each has a share of 1 and no less.
double least_load(std::int64_t experts, std::int64_t top_k) {
  return experts == top_k ? 1 : 0;
}

double largest_relative_load(std::int64_t experts, std::int64_t top_k) {
  return static_cast<double>(experts) / static_cast<double>(top_k);
}

double fewest_effective_experts(std::int64_t, std::int64_t top_k) {
  return static_cast<double>(top_k);
}

double most_effective_experts(std::int64_t experts, std::int64_t) {
  return static_cast<double>(experts);
}

Metric max_violation_entry() {
  return {.name = metric::max_violation,
          .long_name = "Maximum load violation (MaxVio)",
          .axes = by_domain_layer,
          .formula = "max_e n_e / mean(n) - 1",
          .description =
              "How far the busiest expert is above its fair share; 0 is perfect balance, E/K - 1 the worst.",
          .source = loss_free + ", eq. 4",
          .computation = OfCounts{max_violation},
          .chance = max_violation_chance,
          .lower_bound = 0.0,
          .upper_bound = max_violation_bound,
          .missing = missing_forward,
          .figures = {{.id = "max_violation",
                       .title = "MaxVio by layer",
                       .section = section::load,
                       .y_label = "MaxVio",
                       .bottom = 0},
                      {.id = "max_violation_by_domain",
                       .title = "MaxVio by domain",
                       .section = section::load,
                       .y_label = "MaxVio",
                       .by_domain = true,
                       .bottom = 0}},
          .summary = MetricSummary{.column = "MaxVio", .digits = 3, .each_layer = true}};
}

Metric load_cv_entry() {
  return {.name = "load_cv",
          .long_name = "Coefficient of variation of load",
          .axes = by_domain_layer,
          .formula = "population std(n) / mean(n)",
          .description =
              "Spread of the loads around their mean; 0 is perfect balance, load_cv_chance what random "
              "routing gives.",
          .source = shazeer + ", eq. 7",
          .computation = OfCounts{load_cv},
          .chance = load_cv_chance,
          .lower_bound = 0.0,
          .upper_bound = load_cv_bound,
          .missing = missing_forward};
}

Metric load_entropy_entry() {
  return {.name = metric::load_entropy,
          .long_name = "Normalised entropy of load",
          .axes = by_domain_layer,
          .formula = "H(p) / ln E",
          .description =
              "Evenness of the loads: 1 is perfect balance; the lowest possible value is ln K / ln E, not 0.",
          .source = own,
          .computation = OfCounts{load_entropy},
          .chance = load_entropy_chance,
          .lower_bound = load_entropy_bound,
          .upper_bound = 1.0,
          .missing = missing_forward,
          .undefined = one_expert,
          .figures = {{.id = "load_entropy",
                       .title = "Entropy of load by layer",
                       .section = section::load,
                       .y_label = "entropy of load, of its maximum ln E"}},
          .summary = MetricSummary{.column = "Load entropy"}};
}

std::vector<Metric> loads_of_experts() {
  return {
      {.name = metric::expert_load,
       .long_name = "Expert load",
       .axes = by_expert,
       .formula = "n_e / T",
       .description =
           "Share of the tokens that expert e took; uniform is K/E, and the loads of a layer sum to K.",
       .source = dots1 + ", eq. 1; " + olmoe + ", eq. 7",
       .computation = OfExpertCounts{expert_load},
       .chance = even_load,
       .lower_bound = least_load,
       .upper_bound = 1.0,
       .missing = missing_forward},
      {.name = metric::relative_load,
       .long_name = "Relative expert load",
       .axes = by_expert,
       .formula = "n_e E / (K T)",
       .description = "Load relative to uniform use: 1 is uniform, 2 is twice the expert's fair share.",
       .source = deepseek + ", fig. 9",
       .computation = OfExpertCounts{[](ExpertCounts counts, std::int64_t) { return relative_load(counts); }},
       .chance = 1.0,
       .lower_bound = least_load,
       .upper_bound = largest_relative_load,
       .missing = missing_forward},
  };
}

/// How far experts are from their fair share.
std::vector<Metric> violations() {
  return {
      max_violation_entry(),
      {.name = "min_violation",
       .long_name = "Minimum load violation",
       .axes = by_domain_layer,
       .formula = "1 - min_e n_e / mean(n)",
       .description =
           "How far the idlest expert is below its fair share; 0 is perfect balance, 1 an unused expert.",
       .source = own + ", after " + loss_free,
       .computation = OfCounts{min_violation},
       .chance = min_violation_chance,
       .lower_bound = 0.0,
       .upper_bound = min_violation_bound,
       .missing = missing_forward},
      {.name = "mean_violation",
       .long_name = "Mean load violation",
       .axes = by_domain_layer,
       .formula = "mean_e |n_e / mean(n) - 1|",
       .description = "How far the average expert is from its fair share; 0 is perfect balance.",
       .source = own + ", after " + loss_free,
       .computation = OfCounts{mean_violation},
       .chance = mean_violation_chance,
       .lower_bound = 0.0,
       .upper_bound = mean_violation_bound,
       .missing = missing_forward},
  };
}

/// How unequal the loads are.
std::vector<Metric> inequality() {
  return {
      load_cv_entry(),
      {.name = "load_cv_chance",
       .long_name = "Coefficient of variation of load by chance",
       .axes = by_domain_layer,
       .formula = "sqrt((E - K) / (K T))",
       .description =
           "What load_cv would be if every token chose K experts at random: only the excess over it is "
           "imbalance.",
       .source = own,
       .computation = OfTokenCount{load_cv_chance},
       .missing = missing_forward},
      {.name = "load_gini",
       .long_name = "Gini coefficient of load",
       .axes = by_domain_layer,
       .formula = "sum_i (2i - E - 1) n_(i) / (E sum n)",
       .description = "Inequality of the loads: 0 is perfect balance, 1 - K/E the worst.",
       .source = "Gini 1912",
       .computation = OfCounts{load_gini},
       .chance = load_gini_chance,
       .lower_bound = 0.0,
       .upper_bound = load_gini_bound,
       .missing = missing_forward},
      load_entropy_entry(),
      {.name = "effective_experts",
       .long_name = "Effective number of experts",
       .unit = "experts",
       .axes = by_domain_layer,
       .formula = "exp H(p)",
       .description = "How many equally used experts would have the same entropy; between K and E.",
       .source = own,
       .computation = OfCounts{effective_experts},
       .chance = effective_experts_chance,
       .lower_bound = fewest_effective_experts,
       .upper_bound = most_effective_experts,
       .missing = missing_forward},
  };
}

/// Experts that hardly take any token, or far too many.
std::vector<Metric> unequally_used() {
  return {
      {.name = metric::dead_experts,
       .long_name = "Dead experts",
       .unit = "experts",
       .axes = by_domain_layer,
       .formula = "|{e : n_e = 0}|",
       .description = "Experts that took no token; with few tokens some look dead by chance (attribute "
                      "chance_by_domain).",
       .source = own,
       .computation = OfCounts{dead_experts},
       .chance = dead_experts_chance,
       .lower_bound = 0.0,
       .upper_bound = dead_experts_bound,
       .missing = missing_forward,
       .figures = {{.id = "dead_experts",
                    .title = "Dead experts by domain",
                    .section = section::load,
                    .y_label = "experts without a token",
                    .caption =
                        "Experts of a layer that took no token of a domain; with few tokens some look dead "
                        "by chance, as random routing would leave them.",
                    .by_domain = true,
                    .bottom = 0}},
       .summary = MetricSummary{.each_domain = true}},
      {.name = "cold_experts",
       .long_name = "Cold experts",
       .unit = "experts",
       .axes = by_domain_layer,
       .formula = "|{e : n_e < 0.1 mean(n)}|",
       .description = "Experts with less than a tenth of their fair share, dead ones included.",
       .source = own,
       .computation = OfCounts{cold_experts},
       .chance = cold_experts_chance,
       .lower_bound = 0.0,
       .upper_bound = cold_experts_bound,
       .missing = missing_forward},
      {.name = "hot_experts",
       .long_name = "Hot experts",
       .unit = "experts",
       .axes = by_domain_layer,
       .formula = "|{e : n_e > 10 mean(n)}|",
       .description = "Experts with more than ten times their fair share.",
       .source = own,
       .computation = OfCounts{hot_experts},
       .chance = hot_experts_chance,
       .lower_bound = 0.0,
       .upper_bound = hot_experts_bound,
       .missing = missing_forward},
  };
}

std::vector<Metric> over_all_domains() {
  return {
      pooled(max_violation_entry(), "Maximum load violation, all domains",
             "MaxVio over the tokens of all domains together: imbalance that is not specialisation to a "
             "domain."),
      pooled(load_cv_entry(), "Coefficient of variation of load, all domains",
             "Spread of the loads over the tokens of all domains together; 0 is perfect balance."),
      pooled(load_entropy_entry(), "Normalised entropy of load, all domains",
             "Evenness of the loads over the tokens of all domains together; 1 is perfect balance."),
  };
}

}  // namespace

// n_e: tokens routed to expert e; T tokens; E experts, K chosen for each token; p_e = n_e / (K T).
std::vector<Metric> load_metrics() {
  return joined({loads_of_experts(), violations(), inequality(), unequally_used(), over_all_domains()});
}

}  // namespace moescope
