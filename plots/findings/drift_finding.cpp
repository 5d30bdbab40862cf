#include "plots/findings/drift_finding.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "plots/figure/figure_text.h"
#include "plots/findings/course.h"
#include "plots/findings/wording.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

/// `values` by role of the single roles that the model has; NaN for the others.
std::vector<double> of_single_roles(const ReportFacts& facts, std::vector<double> values) {
  for (std::size_t role = 0; role < values.size(); ++role) {
    if (is_several_roles(facts.labels.roles[role]) || !facts.role_exists[role]) values[role] = unknown_number;
  }
  return values;
}

/// Why a role that the model has is without a drift where others have one: ": at a all of these weights are
/// 0"; empty where the run file does not tell.
std::string why_unknown(const ReportFacts& facts, std::size_t role) {
  const CheckpointFacts &first = facts.checkpoints.front(), &last = facts.checkpoints.back();
  if (first.norm.empty() || last.norm.empty()) return "";
  if (first.norm[role] == 0) return ": at " + first.name + " all of these weights are 0";
  std::vector<std::string> broken;
  for (const CheckpointFacts* checkpoint : {&first, &last}) {
    if (!std::isfinite(checkpoint->norm[role])) broken.push_back(checkpoint->name);
  }
  if (broken.empty()) return "";
  return ": at " + names_in_words(broken) + " these weights are not all finite";
}

/// " Of routed expert no drift is known: …", where one is missing of a role that the model has.
std::string unknown_roles(const ReportFacts& facts, const std::vector<double>& drift) {
  std::map<std::string, std::vector<std::string>> roles;  // by the reason
  for (const std::size_t role : not_finite(drift)) {
    const std::string& label = facts.labels.roles[role];
    if (!is_several_roles(label) && facts.role_exists[role]) roles[why_unknown(facts, role)].push_back(label);
  }
  std::string text;
  for (const auto& [why, names] : roles)
    text += " Of " + names_in_words(names) + " no drift is known" + why + ".";
  return text;
}

/// `all`: of every role that the model has.
std::string since_first_text(const ReportFacts& facts, const std::vector<double>& drift, bool all) {
  const std::vector<std::string>& roles = facts.labels.roles;
  const std::string since = "Since " + facts.checkpoints.front().name + " ";
  const Extreme most = extreme(drift, End::most), least = extreme(drift, End::least);
  const bool moved = std::ranges::any_of(drift, [](double value) { return value > 0; });
  if (!moved) return since + "no weight of " + (all ? "any role" : "the other roles") + " has moved.";
  if (known_count(drift) == 1) {
    return since + "the weights of the role " + names_in_words(selected(roles, most.which)) +
           " have a relative drift of " + most.text + ".";
  }
  if (most.text == least.text) {
    return since + "the weights of " + (all ? "every role" : "each of the other roles") +
           " have a relative drift of " + most.text + ".";
  }
  const auto of = [&](const Extreme& end) {
    return (end.which.size() == 1 ? "the role " : "the roles ") + names_in_words(selected(roles, end.which));
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
  return step + ", the largest is that of " + names_in_words(selected(facts.labels.roles, most.which)) +
         " (" + most.text + ").";
}

bool has_drift(const ReportFacts& facts) {
  return facts.checkpoints.size() > 1 &&
         known_count(of_single_roles(facts, facts.checkpoints.back().drift)) > 0;
}

std::string drift_text(const ReportFacts& facts) {
  const CheckpointFacts& last = facts.checkpoints.back();
  const std::vector<double> drift = of_single_roles(facts, last.drift),
                            step_drift = of_single_roles(facts, last.step_drift);
  const std::string unknown = unknown_roles(facts, last.drift);
  std::string text =
      since_first_text(facts, drift, unknown.empty()) + unknown + last_step_text(facts, step_drift);
  if (facts.checkpoints.size() > 2 && std::isfinite(last.tortuosity)) {
    text += " The path of the whole model is " + format_number(last.tortuosity, 3) +
            " times as long as the straight way.";
  }
  return text;
}

std::optional<Headline> drift_headline(const ReportFacts& facts) {
  if (facts.checkpoints.size() < 2) return std::nullopt;
  const Extreme most = extreme(of_single_roles(facts, facts.checkpoints.back().drift), End::most);
  if (most.which.empty()) return std::nullopt;
  const std::size_t role = most.which[0];
  const Course drift(facts, [role](const CheckpointFacts& c) { return c.drift[role]; });
  const std::string of =
      most.text == "0" ? "no role has moved" : names_in_words(selected(facts.labels.roles, most.which));
  return Headline{"Largest drift", most.text, {}, of + ", since the first checkpoint", drift.values};
}

}  // namespace

Finding drift_finding() {
  return {has_drift, drift_text, drift_headline};
}

}  // namespace moescope
