#include "plots/findings/router_finding.h"

#include <cmath>

#include "metrics/entry/metric_names.h"
#include "plots/figure/figure_text.h"
#include "plots/findings/course.h"
#include "plots/findings/wording.h"

namespace moescope {
namespace {

bool has_entropy(const ReportFacts& facts) {
  return Course(facts, metric::router_entropy).known();
}

/// " At tiny-3T the chosen experts hold 50 % of the router distribution."
std::string mass_text(const ReportFacts& facts, const CheckpointFacts& checkpoint) {
  const LayerFacts& mass = checkpoint.of(metric::topk_mass);
  if (!std::isfinite(mass.mean)) return "";
  std::string text = " At " + checkpoint.name + " the chosen experts hold " + format_percent(mass.mean) +
                     " of the router distribution";
  if (const auto chance = chance_of(facts, metric::topk_mass))
    text += ", where no preference gives " + format_percent(*chance);
  text += ".";
  const bool same_layers = mass.known() == checkpoint.of(metric::router_entropy).known();
  return same_layers ? text : text + fewer_layers(checkpoint, mass);
}

std::string router_text(const ReportFacts& facts) {
  const Course entropy(facts, metric::router_entropy);
  std::string text = over_layers(facts, "Router entropy") + entropy.text(" of its maximum ln E") + "." +
                     entropy.gaps() + fewer_layers(entropy, metric::router_entropy);
  const CheckpointFacts& last = facts.checkpoints[entropy.last];
  return takes_all(facts) ? text : text + mass_text(facts, last);
}

std::optional<Headline> router_headline(const ReportFacts& facts) {
  return Course(facts, metric::router_entropy)
      .headline("Router entropy", "of its maximum; " + over_layers_meaning(facts));
}

}  // namespace

Finding router_finding() {
  return {has_entropy, router_text, router_headline};
}

}  // namespace moescope
