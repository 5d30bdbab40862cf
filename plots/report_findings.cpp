#include "plots/report_findings.h"

#include <algorithm>
#include <functional>

#include "plots/figure_text.h"

namespace moescope {
namespace {

using Member = std::function<double(const CheckpointFacts&)>;

std::vector<double> history(const ReportFacts& facts, const Member& member) {
  std::vector<double> values;
  for (const CheckpointFacts& checkpoint : facts.checkpoints) values.push_back(member(checkpoint));
  return values;
}

bool is_known(const std::vector<double>& values) {
  return !values.empty() && std::isfinite(values.front()) && std::isfinite(values.back());
}

/// Index of the largest (or, with std::less, smallest) finite value; npos when there is none.
template <class Better = std::greater<>>
std::size_t extreme(const std::vector<double>& values, Better better = {}) {
  std::size_t best = std::string::npos;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) continue;
    if (best == std::string::npos || better(values[i], values[best])) best = i;
  }
  return best;
}

std::string moved(double from, double to, int digits = 3) {
  const std::string before = format_number(from, digits), after = format_number(to, digits);
  if (before == after) return "stayed at " + after;
  return (to < from ? "fell from " : "rose from ") + before + " to " + after;
}

/// Where `x` lies on the horizontal axis: ("2.3 T", "tokens"), ("1200", "steps"), or the nearest checkpoint's
/// name.
std::pair<std::string, std::string> place_name(const ReportFacts& facts, const Progress& progress, double x) {
  if (!progress.axis.tick_labels.empty()) {
    return {facts.labels.short_checkpoints[static_cast<std::size_t>(std::lround(x))], ""};
  }
  const bool steps = progress.axis.label == "training step";
  return {format_number(x, 2) + progress.axis.tick_suffix, steps ? "steps" : "tokens"};
}

Headline headline(const std::string& name, const std::vector<double>& values, const std::string& meaning) {
  Headline result = {name, format_number(values.back(), 3), {}, meaning, values};
  if (values.size() > 1) result.change = "from " + format_number(values.front(), 3);
  return result;
}

void add_loss(const ReportFacts& facts, std::vector<std::string>& findings) {
  const CheckpointFacts &first = facts.checkpoints.front(), &last = facts.checkpoints.back();
  if (!std::isfinite(last.loss)) return;
  std::string text = facts.checkpoints.size() == 1
                         ? "Loss over all domains is " + format_number(last.loss, 3) + " nats per token"
                         : "Loss over all domains " + moved(first.loss, last.loss) + " nats per token";
  text += " (perplexity " +
          (facts.checkpoints.size() == 1 ? "" : format_number(first.perplexity, 3) + " to ") +
          format_number(last.perplexity, 3) + ").";
  const std::size_t easiest = extreme(last.domain_loss, std::less<>()), hardest = extreme(last.domain_loss);
  if (last.domain_loss.size() > 1 && easiest != std::string::npos) {
    text += " At the end " + facts.labels.domains[easiest] + " is easiest (" +
            format_number(last.domain_loss[easiest], 3) + ") and " + facts.labels.domains[hardest] +
            " hardest (" + format_number(last.domain_loss[hardest], 3) + ").";
  }
  findings.push_back(text);
}

void add_balance(const ReportFacts& facts, std::vector<std::string>& findings) {
  const std::vector<double> violation = history(facts, [](const auto& c) { return c.max_violation; });
  if (!is_known(violation)) return;
  const CheckpointFacts& last = facts.checkpoints.back();
  std::string text = "MaxVio, averaged over layers and with all domains together, " +
                     (violation.size() > 1 ? moved(violation.front(), violation.back())
                                           : "is " + format_number(violation.back(), 3)) +
                     ".";
  const std::size_t worst = extreme(last.layer_max_violation);
  if (worst != std::string::npos) {
    text += " The least even layer at " + last.name + " is layer " + facts.labels.moe_layers[worst] +
            ": its busiest expert takes " + format_number(1 + last.layer_max_violation[worst], 3) +
            " times an even share.";
  }
  if (std::isfinite(last.dead_experts)) {
    text += last.dead_experts == 0 ? " No expert is without tokens in any domain there."
                                   : " A layer has " + format_number(last.dead_experts, 2) +
                                         " experts without a token there, averaged over layers and domains.";
  }
  findings.push_back(text);
}

void add_router(const ReportFacts& facts, std::vector<std::string>& findings) {
  const std::vector<double> entropy = history(facts, [](const auto& c) { return c.router_entropy; });
  if (!is_known(entropy)) return;
  std::string text = "Router entropy, averaged over layers, " +
                     (entropy.size() > 1 ? moved(entropy.front(), entropy.back())
                                         : "is " + format_number(entropy.back(), 3)) +
                     " of its maximum ln E";
  const double mass = facts.checkpoints.back().topk_mass;
  if (std::isfinite(mass)) {
    text += "; at the end the chosen experts hold " + format_number(100 * mass, 3) +
            " % of the router distribution";
  }
  findings.push_back(text + ".");
}

void add_saturation(const ReportFacts& facts, const Progress& progress, std::vector<std::string>& findings) {
  const std::vector<double> saturation = history(facts, [](const auto& c) { return c.saturation; });
  if (!is_known(saturation) || saturation.size() < 2) return;
  const double chance = facts.saturation_chance.value_or(0);
  std::string text = "Router saturation starts at " + format_number(saturation.front(), 3) + " (chance " +
                     format_number(chance, 3) + ")";
  const double x = half_way(progress.x, saturation, chance);
  if (std::isfinite(x)) {
    const auto [place, unit] = place_name(facts, progress, x);
    text += " and is half-way from chance to the final routing at about " + place +
            (unit.empty() ? "" : " " + unit);
  }
  text += ".";
  if (saturation.size() > 2) {
    const CheckpointFacts& before = facts.checkpoints[facts.checkpoints.size() - 2];
    const std::size_t least = extreme(before.layer_saturation, std::less<>());
    if (least != std::string::npos) {
      text += " One checkpoint before the end, at " + before.name + ", " +
              format_number(100 * before.saturation, 3) +
              " % of the final choices are made; the least settled is layer " +
              facts.labels.moe_layers[least] + " (" + format_number(100 * before.layer_saturation[least], 3) +
              " %).";
    }
  }
  findings.push_back(text);
}

/// `values` by role without what stands for all roles together.
std::vector<double> of_single_roles(const ReportFacts& facts, std::vector<double> values) {
  for (std::size_t role = 0; role < values.size(); ++role) {
    if (facts.labels.roles[role] == whole_model_label) values[role] = unknown_number;
  }
  return values;
}

void add_drift(const ReportFacts& facts, std::vector<std::string>& findings) {
  if (facts.checkpoints.size() < 2) return;
  const CheckpointFacts& last = facts.checkpoints.back();
  const std::vector<double> drift = of_single_roles(facts, last.drift),
                            step_drift = of_single_roles(facts, last.step_drift);
  const std::size_t most = extreme(drift), least = extreme(drift, std::less<>());
  const std::size_t largest = extreme(step_drift);
  if (most == std::string::npos) return;
  std::string text = "Since " + facts.checkpoints.front().name + " the weights of the role " +
                     facts.labels.roles[most] + " moved most (relative drift " +
                     format_number(last.drift[most], 3) + "), those of " + facts.labels.roles[least] +
                     " least (" + format_number(last.drift[least], 3) + "). In the last step, from " +
                     facts.checkpoints[facts.checkpoints.size() - 2].name + ", the largest is " +
                     format_number(largest == std::string::npos ? unknown_number : step_drift[largest], 2) +
                     ".";
  if (facts.checkpoints.size() > 2 && std::isfinite(last.tortuosity)) {
    text += " The path of the whole model is " + format_number(last.tortuosity, 3) +
            " times as long as the straight way.";
  }
  findings.push_back(text);
}

}  // namespace

double half_way(const std::vector<double>& x, const std::vector<double>& y, double chance) {
  const double target = chance + (1 - chance) / 2;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!(y[i] >= target)) continue;
    if (i == 0) break;
    return x[i - 1] + (x[i] - x[i - 1]) * (target - y[i - 1]) / (y[i] - y[i - 1]);
  }
  return unknown_number;
}

std::vector<Headline> report_headlines(const ReportFacts& facts) {
  std::vector<Headline> headlines;
  const auto add = [&](const std::string& name, const Member& member, const std::string& meaning) {
    const std::vector<double> values = history(facts, member);
    if (is_known(values)) headlines.push_back(headline(name, values, meaning));
  };
  add(
      "Loss", [](const auto& c) { return c.loss; }, "nats per token, all domains");
  add(
      "MaxVio", [](const auto& c) { return c.max_violation; }, "mean over layers; 0 is even");
  add(
      "Router entropy", [](const auto& c) { return c.router_entropy; }, "of its maximum; mean over layers");
  const Progress progress = training_progress(facts.labels);
  const std::vector<double> saturation = history(facts, [](const auto& c) { return c.saturation; });
  const double x = half_way(progress.x, saturation, facts.saturation_chance.value_or(0));
  if (std::isfinite(x)) {
    const auto place = place_name(facts, progress, x);
    headlines.push_back({"Routing half settled", place.first, place.second,
                         "saturation half-way from chance to 1", saturation});
  }
  if (facts.checkpoints.size() > 1 && !facts.checkpoints.back().drift.empty()) {
    const std::size_t most = extreme(of_single_roles(facts, facts.checkpoints.back().drift));
    if (most != std::string::npos) {
      add(
          "Weight drift", [most](const auto& c) { return c.drift[most]; },
          facts.labels.roles[most] + ", since the first checkpoint");
      headlines.back().change.clear();
    }
  }
  return headlines;
}

std::vector<std::string> report_findings(const ReportFacts& facts) {
  std::vector<std::string> findings = facts.unfinished;  // as the others must be read in their light
  findings.insert(findings.end(), facts.expert_moves.begin(), facts.expert_moves.end());
  if (facts.checkpoints.empty()) return findings;
  add_loss(facts, findings);
  add_balance(facts, findings);
  add_router(facts, findings);
  add_saturation(facts, training_progress(facts.labels), findings);
  add_drift(facts, findings);
  return findings;
}

}  // namespace moescope
