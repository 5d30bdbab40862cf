#include "plots/report/report_findings.h"

#include <algorithm>
#include <functional>

#include "plots/figure/figure_text.h"

namespace moescope {
namespace {

using Member = std::function<double(const CheckpointFacts&)>;
using Layers = LayerFacts CheckpointFacts::*;

constexpr std::size_t none = std::string::npos;

/// "a", "a and b", "a, b and c"; of many the first, and how many more.
std::string listed(std::vector<std::string> names) {
  constexpr std::size_t most = 4;
  if (names.size() > most) {
    const std::size_t rest = names.size() - most + 1;
    names.resize(most - 1);
    names.push_back(std::to_string(rest) + " more");
  }
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return text;
}

std::vector<std::string> selected(const std::vector<std::string>& labels,
                                  const std::vector<std::size_t>& which) {
  std::vector<std::string> names;
  for (const std::size_t i : which) names.push_back(labels[i]);
  return names;
}

std::vector<std::size_t> not_finite(const std::vector<double>& values) {
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) which.push_back(i);
  }
  return which;
}

/// What a number was along the series. At any checkpoint it may be missing.
struct Course {
  const ReportFacts& facts;
  std::vector<double> values;             // (C)
  std::size_t first = none, last = none;  // that have a value

  Course(const ReportFacts& all, const Member& member) : facts(all) {
    for (const CheckpointFacts& checkpoint : facts.checkpoints) {
      values.push_back(member(checkpoint));
      if (!std::isfinite(values.back())) continue;
      last = values.size() - 1;
      if (first == none) first = last;
    }
  }
  Course(const ReportFacts& all, Layers member)
      : Course(all, [member](const CheckpointFacts& c) { return (c.*member).mean; }) {}

  bool known() const { return first != none; }
  bool is_change() const { return first != last; }
  /// Whether both ends of the series have a value, so that they need no names.
  bool is_whole() const { return first == 0 && last + 1 == values.size(); }
  const std::string& name(std::size_t c) const { return facts.checkpoints[c].name; }

  /// "fell from 3.5 to 2.55 nats": from the first to the last checkpoint, or to and from the named ones.
  std::string text(const std::string& unit = "") const {
    const std::string before = format_number(values[first], 3), after = format_number(values[last], 3) + unit;
    const std::string at_first = is_whole() ? "" : " at " + name(first),
                      at_last = is_whole() ? "" : " at " + name(last);
    if (!is_change()) return "is " + after + at_last;
    if (before + unit == after) {
      return "is " + after + " both at " + (is_whole() ? "the first" : name(first)) + " and at " +
             (is_whole() ? "the last checkpoint" : name(last));
    }
    return (values[last] < values[first] ? "fell from " : "rose from ") + before + at_first + " to " + after +
           at_last;
  }
  /// " It has no value at tiny-2T." for the checkpoints that were measured, and which were not.
  std::string gaps(const std::string& verb = "has no value") const {
    std::vector<std::string> without, unmeasured;
    for (const std::size_t c : not_finite(values))
      (facts.checkpoints[c].measured ? without : unmeasured).push_back(name(c));
    return (without.empty() ? "" : " It " + verb + " at " + listed(without) + ".") +
           (unmeasured.empty() ? "" : " It is not measured at " + listed(unmeasured) + ".");
  }
};

/// The least or largest of some values: all that look the same, to three digits, stand for it.
struct Extreme {
  std::vector<std::size_t> which;
  std::string text;  // of the value; empty where there is none
};
enum class End { least, most };
Extreme extreme(const std::vector<double>& values, End end) {
  double best = unknown_number;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    if (std::isnan(best) || (end == End::most ? value > best : value < best)) best = value;
  }
  if (std::isnan(best)) return {};
  Extreme result = {{}, format_number(best, 3)};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i]) && format_number(values[i], 3) == result.text) result.which.push_back(i);
  }
  return result;
}

std::size_t known_count(const std::vector<double>& values) {
  return values.size() - not_finite(values).size();
}

/// "layer 3", "layers 1 and 3".
std::string layers_text(const ReportFacts& facts, const std::vector<std::size_t>& which) {
  return (which.size() == 1 ? "layer " : "layers ") + listed(selected(facts.labels.moe_layers, which));
}

/// "MaxVio, averaged over layers and with all domains together, " or "MaxVio of layer 3 ": how a single
/// number came about. What is said of `domains` matters where there are several.
std::string over_layers(const ReportFacts& facts, const std::string& name, const std::string& domains = "") {
  const bool several = facts.labels.domains.size() > 1 && !domains.empty();
  if (facts.labels.moe_layers.size() == 1)
    return name + " of layer " + facts.labels.moe_layers[0] + (several ? ", " + domains + ", " : " ");
  return name + ", averaged over layers" + (several ? " and " + domains : "") + ", ";
}

/// " At tiny-3T the mean is over 4 of 5 layers.", where it is.
std::string fewer_layers(const CheckpointFacts& checkpoint, const LayerFacts& layers) {
  if (!layers.is_partial() || layers.known() == 0) return "";
  return " At " + checkpoint.name + " the mean is over " + std::to_string(layers.known()) + " of " +
         std::to_string(layers.layers.size()) + " layers.";
}

/// The same of the two checkpoints that a course tells of.
std::string fewer_layers(const Course& course, Layers member) {
  const auto at = [&](std::size_t c) {
    return fewer_layers(course.facts.checkpoints[c], course.facts.checkpoints[c].*member);
  };
  return at(course.first) + (course.is_change() ? at(course.last) : "");
}

/// Whether every token takes every expert, so that nothing is chosen.
bool takes_all(const ReportFacts& facts) {
  return facts.experts_per_token > 0 && facts.experts_per_token == facts.labels.experts.size();
}

std::string losses_by_domain(const ReportFacts& facts, const CheckpointFacts& checkpoint) {
  const std::vector<double>& loss = checkpoint.domain_loss;
  const std::vector<std::string>& domains = facts.labels.domains;
  if (loss.size() < 2) return "";
  const std::vector<std::size_t> unknown = not_finite(loss);
  const Extreme least = extreme(loss, End::least), most = extreme(loss, End::most);
  std::string text;
  if (loss.size() - unknown.size() > 1) {
    text = " At " + checkpoint.name + " it is ";
    text += least.text == most.text
                ? least.text + (unknown.empty() ? " on every domain" : " on each domain where it is finite")
                : "lowest on " + listed(selected(domains, least.which)) + " (" + least.text +
                      ") and highest on " + listed(selected(domains, most.which)) + " (" + most.text + ")";
    text += ".";
  }
  if (unknown.empty()) return text;
  return text + " At " + checkpoint.name + " it is not finite on " + listed(selected(domains, unknown)) + ".";
}

/// The last checkpoint whose forward pass is finished.
const CheckpointFacts* last_measured(const ReportFacts& facts) {
  for (auto checkpoint = facts.checkpoints.rbegin(); checkpoint != facts.checkpoints.rend(); ++checkpoint) {
    if (checkpoint->measured) return &*checkpoint;
  }
  return nullptr;
}

void add_loss(const ReportFacts& facts, std::vector<std::string>& findings) {
  const CheckpointFacts* last = last_measured(facts);
  if (last == nullptr || last->domain_loss.empty()) return;
  const Course loss(facts, [](const CheckpointFacts& c) { return c.loss; });
  std::string text =
      facts.labels.domains.size() == 1 ? "Loss on " + facts.labels.domains[0] : "Loss over all domains";
  if (loss.known()) {
    const auto perplexity = [&](std::size_t c) { return format_number(facts.checkpoints[c].perplexity, 3); };
    text += " " + loss.text(" nats per token") + " (perplexity " +
            (loss.is_change() ? perplexity(loss.first) + " to " : "") + perplexity(loss.last) + ")." +
            loss.gaps("is not finite");
  } else {
    text += " is not finite at any checkpoint.";
  }
  findings.push_back(text + losses_by_domain(facts, *last));
}

/// "layer 4: its busiest expert takes 1.36 times an even share".
std::string busiest_expert(const ReportFacts& facts, const CheckpointFacts& checkpoint) {
  std::vector<double> shares = checkpoint.max_violation.layers;
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
  const LayerFacts& dead = checkpoint.dead_experts;
  if (!std::isfinite(dead.mean)) return "";
  const bool several = facts.labels.domains.size() > 1;
  const double chance = facts.chance.dead_experts.value_or(unknown_number);
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

void add_balance(const ReportFacts& facts, std::vector<std::string>& findings) {
  const Course violation(facts, &CheckpointFacts::max_violation);
  if (!violation.known()) return;
  if (takes_all(facts)) {
    const std::size_t experts = facts.labels.experts.size();
    findings.push_back(
        (experts == 1 ? "Each layer has one routed expert, which takes every token"
                      : "Every token takes all " + std::to_string(experts) + " routed experts of a layer") +
        std::string(": nothing is chosen, and load and saturation tell nothing."));
    return;
  }
  const CheckpointFacts& last = facts.checkpoints[violation.last];
  std::string text =
      over_layers(facts, "MaxVio", facts.load_is_pooled ? "with all domains together" : "over domains") +
      violation.text();
  if (facts.chance.max_violation)
    text += "; random routing of as many tokens gives " + format_number(*facts.chance.max_violation, 2);
  text += "." + violation.gaps() + fewer_layers(violation, &CheckpointFacts::max_violation) +
          busiest_expert(facts, last) + dead_experts_text(facts, last);
  findings.push_back(text);
}

void add_router(const ReportFacts& facts, std::vector<std::string>& findings) {
  const Course entropy(facts, &CheckpointFacts::router_entropy);
  if (!entropy.known()) return;
  std::string text = over_layers(facts, "Router entropy") + entropy.text(" of its maximum ln E") + "." +
                     entropy.gaps() + fewer_layers(entropy, &CheckpointFacts::router_entropy);
  const CheckpointFacts& last = facts.checkpoints[entropy.last];
  if (std::isfinite(last.topk_mass.mean) && !takes_all(facts)) {
    text += " At " + last.name + " the chosen experts hold " + format_number(100 * last.topk_mass.mean, 3) +
            " % of the router distribution";
    if (facts.chance.topk_mass) {
      text += ", where no preference gives " + format_number(100 * *facts.chance.topk_mass, 3) + " %";
    }
    text += ".";
    if (last.topk_mass.known() != last.router_entropy.known()) text += fewer_layers(last, last.topk_mass);
  }
  findings.push_back(text);
}

/// Where saturation is half-way from chance to 1, between which checkpoints.
std::string half_way_text(const ReportFacts& facts, const Course& saturation) {
  if (!facts.chance.saturation) return "";
  const std::optional<std::size_t> after = half_way_step(saturation.values, *facts.chance.saturation);
  if (!after) return "";
  if (*after + 1 == saturation.values.size())
    return " Before that it does not come half-way from chance to 1.";
  return " It is half-way from chance to 1 between " + saturation.name(*after - 1) + " and " +
         saturation.name(*after) + ".";
}

std::string one_before_last(const ReportFacts& facts) {
  if (facts.checkpoints.size() < 3) return "";
  const CheckpointFacts& before = facts.checkpoints[facts.checkpoints.size() - 2];
  const LayerFacts& saturation = before.saturation;
  if (!std::isfinite(saturation.mean)) return "";
  std::string text = " At " + before.name + ", the checkpoint before, it is " +
                     format_number(100 * saturation.mean, 3) + " %";
  const Extreme least = extreme(saturation.layers, End::least), most = extreme(saturation.layers, End::most);
  if (least.text != most.text) {
    text += ", least in " + layers_text(facts, least.which) + " (" +
            format_number(100 * saturation.layers[least.which[0]], 3) + " %)";
  }
  return text + "." + fewer_layers(before, saturation);
}

void add_saturation(const ReportFacts& facts, std::vector<std::string>& findings) {
  const Course saturation(facts, &CheckpointFacts::saturation);
  const std::size_t count = facts.checkpoints.size();
  if (takes_all(facts) || !saturation.known() || !saturation.is_change() || saturation.last + 1 != count)
    return;
  const std::string& last = facts.checkpoints.back().name;
  const std::string name = over_layers(facts, "Router saturation");
  if (std::ranges::all_of(saturation.values, [](double value) { return value == 1; })) {
    findings.push_back(name + "is 1 at every checkpoint: all choose the experts of " + last + ".");
    return;
  }
  std::string text = name + "is " + format_number(saturation.values[saturation.first], 3) + " at " +
                     saturation.name(saturation.first);
  if (facts.chance.saturation) text += " (chance " + format_number(*facts.chance.saturation, 3) + ")";
  text += " and by definition 1 at " + last + ", with whose choices it compares.";
  findings.push_back(
      text + saturation.gaps() +
      fewer_layers(facts.checkpoints[saturation.first], facts.checkpoints[saturation.first].saturation) +
      half_way_text(facts, saturation) + one_before_last(facts));
}

/// `values` by role of the single roles that the model has; NaN for the others.
std::vector<double> of_single_roles(const ReportFacts& facts, std::vector<double> values) {
  for (std::size_t role = 0; role < values.size(); ++role) {
    if (is_several_roles(facts.labels.roles[role]) || !facts.role_exists[role]) values[role] = unknown_number;
  }
  return values;
}

/// " Of routed expert no drift is known.", where one is missing of a role that the model has.
std::string unknown_roles(const ReportFacts& facts, const std::vector<double>& drift) {
  std::vector<std::string> names;
  for (const std::size_t role : not_finite(drift)) {
    const std::string& label = facts.labels.roles[role];
    if (!is_several_roles(label) && facts.role_exists[role]) names.push_back(label);
  }
  return names.empty() ? "" : " Of " + listed(names) + " no drift is known.";
}

/// `all`: of every role that the model has.
std::string drift_text(const ReportFacts& facts, const std::vector<double>& drift, bool all) {
  const std::vector<std::string>& roles = facts.labels.roles;
  const std::string since = "Since " + facts.checkpoints.front().name + " ";
  const Extreme most = extreme(drift, End::most), least = extreme(drift, End::least);
  const bool moved = std::ranges::any_of(drift, [](double value) { return value > 0; });
  if (!moved) return since + "no weight of " + (all ? "any role" : "the other roles") + " has moved.";
  if (known_count(drift) == 1) {
    return since + "the weights of the role " + listed(selected(roles, most.which)) +
           " have a relative drift of " + most.text + ".";
  }
  if (most.text == least.text) {
    return since + "the weights of " + (all ? "every role" : "each of the other roles") +
           " have a relative drift of " + most.text + ".";
  }
  const auto of = [&](const Extreme& end) {
    return (end.which.size() == 1 ? "the role " : "the roles ") + listed(selected(roles, end.which));
  };
  return since + "the weights of " + of(most) + " moved most (relative drift " + most.text + "), those of " +
         of(least) + (least.text == "0" ? " not at all." : " least (" + least.text + ").");
}

std::string last_step_text(const ReportFacts& facts, const std::vector<double>& drift) {
  const std::size_t count = facts.checkpoints.size();
  const Extreme most = extreme(drift, End::most);
  if (count < 3 || most.which.empty()) return "";
  const std::string step = " In the last step, from " + facts.checkpoints[count - 2].name + " to " +
                           facts.checkpoints[count - 1].name;
  if (most.text == "0") return step + ", no weight moved.";
  return step + ", the largest is that of " + listed(selected(facts.labels.roles, most.which)) + " (" +
         most.text + ").";
}

void add_drift(const ReportFacts& facts, std::vector<std::string>& findings) {
  if (facts.checkpoints.size() < 2) return;
  const CheckpointFacts& last = facts.checkpoints.back();
  const std::vector<double> drift = of_single_roles(facts, last.drift),
                            step_drift = of_single_roles(facts, last.step_drift);
  if (known_count(drift) == 0) return;
  const std::string unknown = unknown_roles(facts, last.drift);
  std::string text = drift_text(facts, drift, unknown.empty()) + unknown + last_step_text(facts, step_drift);
  if (facts.checkpoints.size() > 2 && std::isfinite(last.tortuosity)) {
    text += " The path of the whole model is " + format_number(last.tortuosity, 3) +
            " times as long as the straight way.";
  }
  findings.push_back(text);
}

/// A number for the top, with what it was before, where it is known at all.
void add_headline(const Course& course, const std::string& name, const std::string& meaning,
                  std::vector<Headline>& headlines) {
  if (!course.known()) return;
  Headline headline = {name, format_number(course.values[course.last], 3), {}, meaning, course.values};
  if (course.is_change()) {
    headline.change = "from " + format_number(course.values[course.first], 3);
    if (course.first > 0) headline.change += " at " + course.name(course.first);
  }
  if (course.last + 1 < course.values.size()) headline.meaning += "; at " + course.name(course.last);
  headlines.push_back(std::move(headline));
}

/// The place on the horizontal axis, or the checkpoint, where saturation is half-way from chance to 1;
/// nothing where only the last checkpoint, which is compared with itself, is beyond.
void add_half_way(const ReportFacts& facts, std::vector<Headline>& headlines) {
  const Course saturation(facts, &CheckpointFacts::saturation);
  if (!facts.chance.saturation || takes_all(facts)) return;
  const std::optional<std::size_t> after = half_way_step(saturation.values, *facts.chance.saturation);
  if (!after || *after + 1 == saturation.values.size()) return;
  Headline headline = {"Saturation half-way", {}, {}, {}, saturation.values};
  const std::string meaning =
      "from chance to 1, at " + facts.labels.short_checkpoints.back() + " by definition";
  const Progress progress = training_progress(facts.labels);
  if (progress.axis.tick_labels.empty()) {
    const double x = half_way(progress.x, saturation.values, *facts.chance.saturation);
    headline.value = format_number(x, 2) + progress.axis.tick_suffix;
    headline.change = progress.axis.label;
    if (const std::string training = "training "; headline.change.starts_with(training))
      headline.change.erase(0, training.size());
    headline.meaning = meaning;
  } else {
    headline.value = facts.labels.short_checkpoints[*after];
    headline.meaning = "or more " + meaning;
  }
  headlines.push_back(std::move(headline));
}

void add_most_drift(const ReportFacts& facts, std::vector<Headline>& headlines) {
  if (facts.checkpoints.size() < 2) return;
  const Extreme most = extreme(of_single_roles(facts, facts.checkpoints.back().drift), End::most);
  if (most.which.empty()) return;
  const std::size_t role = most.which[0];
  const Course drift(facts, [role](const CheckpointFacts& c) { return c.drift[role]; });
  const std::string of =
      most.text == "0" ? "no role has moved" : listed(selected(facts.labels.roles, most.which));
  headlines.push_back({"Largest drift", most.text, {}, of + ", since the first checkpoint", drift.values});
}

}  // namespace

std::optional<std::size_t> half_way_step(const std::vector<double>& y, double chance) {
  const double target = chance + (1 - chance) / 2;
  if (y.empty() || !(y[0] < target)) return std::nullopt;
  for (std::size_t i = 1; i < y.size() && std::isfinite(y[i]); ++i) {
    if (y[i] >= target) return i;
  }
  return std::nullopt;
}

double half_way(const std::vector<double>& x, const std::vector<double>& y, double chance) {
  const std::optional<std::size_t> step = half_way_step(y, chance);
  if (!step) return unknown_number;
  const std::size_t i = *step;
  const double target = chance + (1 - chance) / 2;
  return x[i - 1] + (x[i] - x[i - 1]) * (target - y[i - 1]) / (y[i] - y[i - 1]);
}

std::vector<Headline> report_headlines(const ReportFacts& facts) {
  std::vector<Headline> headlines;
  const std::vector<std::string>& layers = facts.labels.moe_layers;
  const std::string over = layers.size() == 1 ? "of layer " + layers[0] : "mean over layers";
  const std::string domains =
      facts.labels.domains.size() == 1 ? ", " + facts.labels.domains[0] : ", all domains";
  add_headline(Course(facts, [](const CheckpointFacts& c) { return c.loss; }), "Loss",
               "nats per token" + domains, headlines);
  if (!takes_all(facts))
    add_headline(Course(facts, &CheckpointFacts::max_violation), "MaxVio", over + "; 0 is even", headlines);
  add_headline(Course(facts, &CheckpointFacts::router_entropy), "Router entropy", "of its maximum; " + over,
               headlines);
  add_half_way(facts, headlines);
  add_most_drift(facts, headlines);
  return headlines;
}

std::vector<std::string> report_findings(const ReportFacts& facts) {
  std::vector<std::string> findings = facts.unfinished;  // as the others must be read in their light
  findings.insert(findings.end(), facts.expert_moves.begin(), facts.expert_moves.end());
  if (facts.checkpoints.empty()) return findings;
  add_loss(facts, findings);
  add_balance(facts, findings);
  add_router(facts, findings);
  add_saturation(facts, findings);
  add_drift(facts, findings);
  return findings;
}

}  // namespace moescope
