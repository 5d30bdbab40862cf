#include "plots/findings/balance_finding.h"

#include <algorithm>
#include <cmath>

#include "metrics/entry/metric_names.h"
#include "plots/figure/figure_text.h"
#include "plots/findings/course.h"
#include "plots/findings/wording.h"

namespace moescope {
namespace {

/// "layer 4: its busiest expert takes 1.36 times an even share".
std::string busiest_expert(const ReportFacts& facts, const CheckpointFacts& checkpoint) {
  std::vector<double> shares = checkpoint.of(metric::max_violation).layers;
  for (double& share : shares) share += 1;
  const Extreme most = extreme(shares, End::most);
  if (most.which.empty()) return "";
  const std::string takes = " takes " + most.text + " times an even share.";
  const std::size_t known = known_count(shares);
  if (shares.size() == 1) return " At " + checkpoint.name + " its busiest expert" + takes;
  if (most.which.size() == known) {
    return " At " + checkpoint.name + " the busiest expert of " +
           (known == shares.size() ? "every layer" : layers_text(facts, most.which)) + takes;
  }
  const bool one = most.which.size() == 1;
  return std::string(" The least even ") + (one ? "layer at " : "layers at ") + checkpoint.name +
         (one ? " is " : " are ") + layers_text(facts, most.which) + ": " + (one ? "its" : "the") +
         " busiest expert" + (one ? "" : " of each") + takes;
}

std::string dead_experts_text(const ReportFacts& facts, const CheckpointFacts& checkpoint) {
  const LayerFacts& dead = checkpoint.of(metric::dead_experts);
  if (!std::isfinite(dead.mean)) return "";
  const bool several = facts.labels.domains.size() > 1;
  const double chance = chance_of(facts, metric::dead_experts).value_or(unknown_number);
  const std::string random = !std::isfinite(chance) ? ""
                             : chance < 0.005       ? " (random routing leaves none)"
                                              : " (random routing leaves " + format_number(chance, 2) + ")";
  std::string text;
  if (dead.mean == 0) {
    text = std::string(" No expert is without a token") + (several ? " in any domain" : "") + " there" +
           (chance >= 0.005 ? random : "");
  } else {
    text = " On average over layers" + std::string(several ? " and domains" : "") + ", " +
           format_number(dead.mean, 2) + " experts of a layer are without a token there" + random;
  }
  if (dead.is_partial()) {
    text += ", of the " + std::to_string(dead.known()) + " of " + std::to_string(dead.layers.size()) +
            (several ? " layers and domains" : " layers") + " that have a value";
  }
  return text + ".";
}

bool has_load(const ReportFacts& facts) {
  return Course(facts, metric::max_violation).known();
}

std::string balance_text(const ReportFacts& facts) {
  const Course violation(facts, metric::max_violation);
  if (takes_all(facts)) {
    const std::size_t experts = facts.labels.experts.size();
    return (experts == 1
                ? "Each layer has one routed expert, which takes every token"
                : "Every token takes all " + std::to_string(experts) + " routed experts of a layer") +
           std::string(": nothing is chosen, and load and saturation tell nothing.");
  }
  const CheckpointFacts& last = facts.checkpoints[violation.last];
  std::string text =
      over_layers(facts, "MaxVio", facts.load_is_pooled ? "with all domains together" : "over domains") +
      violation.text();
  if (const auto chance = chance_of(facts, metric::max_violation))
    text += "; random routing of as many tokens gives " + format_number(*chance, 2);
  text += "." + violation.gaps() + fewer_layers(violation, metric::max_violation) +
          busiest_expert(facts, last) + dead_experts_text(facts, last);
  return text;
}

std::optional<Headline> balance_headline(const ReportFacts& facts) {
  if (takes_all(facts)) return std::nullopt;
  return Course(facts, metric::max_violation).headline("MaxVio", over_layers_meaning(facts) + "; 0 is even");
}

}  // namespace

Finding balance_finding() {
  return {has_load, balance_text, balance_headline};
}

}  // namespace moescope
