#include "cli/comparison_limits.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "cli/options.h"
#include "cli/terminal.h"
#include "readers/errors.h"

namespace moescope {
namespace {

/// A value that a limit is held against.
struct Measured {
  std::string where;  // "layer 3, expert 17"
  double value = 0;
};

using Weights = std::vector<WeightChange>;

struct WeightGroup {
  const char* name;  // in the JSON
  const char* noun;  // of one of them
  const Weights RunComparison::*changes;
};
constexpr WeightGroup weight_groups[] = {
    {"model", "the whole model", &RunComparison::whole},
    {"model_without_norms", "the model without norms", &RunComparison::without_norms},
    {"roles", "role ", &RunComparison::roles},
    {"layers", "", &RunComparison::layers},
    {"experts", "", &RunComparison::experts},
    {"tensors", "tensor ", &RunComparison::tensors}};

struct WeightMetric {
  const char* name;
  double (*value_of)(const WeightChange&);
  const char* meaning;
};
constexpr WeightMetric weight_metrics[] = {
    {"relative_drift", [](const WeightChange& change) { return change.relative_drift; },
     "norm of the difference / norm before"},
    {"cosine_distance", [](const WeightChange& change) { return 1 - change.cosine; }, "1 - cosine"}};

struct ForwardMetric {
  const char* name;
  std::vector<Measured> (*values_of)(const RunComparison&);
  const char* meaning;
};

std::string in_layer(std::int64_t layer) {
  return "layer " + std::to_string(layer);
}

std::vector<Measured> loss_changes(const RunComparison& comparison) {
  std::vector<Measured> values;
  for (const LossChange& loss : comparison.losses) values.push_back({loss.domain, loss.after - loss.before});
  return values;
}

template <double RoutingChange::*member>
std::vector<Measured> of_routing(const RunComparison& comparison) {
  std::vector<Measured> values;
  for (const RoutingChange& layer : comparison.routing)
    values.push_back({in_layer(layer.layer), layer.*member});
  return values;
}

constexpr ForwardMetric forward_metrics[] = {
    {"loss_change", loss_changes, "after - before of a domain, in nats (with --corpus)"},
    {"load_total_variation", of_routing<&RoutingChange::load_distance>,
     "share of a layer's load that moved (with --corpus)"},
    {"max_violation_after", of_routing<&RoutingChange::max_violation_after>,
     "MaxVio of a layer at B (with --corpus)"}};

const ForwardMetric* find_forward_metric(const std::string& name) {
  const auto found = std::find_if(std::begin(forward_metrics), std::end(forward_metrics),
                                  [&](const ForwardMetric& metric) { return metric.name == name; });
  return found == std::end(forward_metrics) ? nullptr : found;
}

std::vector<std::string> all_metric_names() {
  std::vector<std::string> names;
  for (const WeightMetric& metric : weight_metrics) {
    names.push_back(metric.name);
    for (const WeightGroup& group : weight_groups)
      names.push_back(std::string(group.name) + "." + metric.name);
  }
  for (const ForwardMetric& metric : forward_metrics) names.push_back(metric.name);
  return names;
}

std::string place_of(const WeightGroup& group, const WeightChange& change) {
  if (group.changes == &RunComparison::whole || group.changes == &RunComparison::without_norms)
    return group.noun;
  if (!change.name.empty()) return group.noun + ("'" + change.name + "'");
  return in_layer(change.layer) + (change.expert < 0 ? "" : ", expert " + std::to_string(change.expert));
}

std::vector<Measured> values_of(const RunComparison& comparison, const std::string& name) {
  if (const ForwardMetric* metric = find_forward_metric(name)) return metric->values_of(comparison);
  std::vector<Measured> values;
  for (const WeightGroup& group : weight_groups) {
    for (const WeightMetric& metric : weight_metrics) {
      if (name != metric.name && name != std::string(group.name) + "." + metric.name) continue;
      for (const WeightChange& change : comparison.*group.changes) {
        if (is_unmoved(change)) continue;
        const bool from_zero = change.norm_before == 0 && std::isfinite(change.norm_after);
        const double value = from_zero ? std::numeric_limits<double>::infinity() : metric.value_of(change);
        values.push_back({place_of(group, change), value});
      }
    }
  }
  return values;
}

/// Values that do not exist are above everything.
double height(const Measured& measured) {
  return std::isnan(measured.value) ? std::numeric_limits<double>::infinity() : measured.value;
}

std::string number(double value) {
  if (std::isinf(value)) return "a move away from 0";
  return std::isnan(value) ? "NaN" : format_value(value, 6);
}

bool has_values(const RunComparison& comparison, const ComparisonLimit& limit) {
  return needs_forward_pass(limit) ? !comparison.losses.empty() : !comparison.whole.empty();
}

}  // namespace

ComparisonLimit parse_limit(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string metric = text.substr(0, equals);
  const std::vector<std::string> known = all_metric_names();
  if (std::find(known.begin(), known.end(), metric) == known.end()) {
    throw UsageError("--fail-above: no metric is called '" + metric + "'", did_you_mean(metric, known));
  }
  ComparisonLimit limit = {metric, std::numeric_limits<double>::quiet_NaN()};
  if (equals != std::string::npos) {
    const char *begin = text.data() + equals + 1, *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(begin, end, limit.value);
    if (error != std::errc() || stop != end) limit.value = std::numeric_limits<double>::quiet_NaN();
  }
  if (!std::isfinite(limit.value)) {
    throw UsageError("--fail-above: expected METRIC=VALUE with a number, found '" + text + "'",
                     "write for example --fail-above " + metric + "=0.1");
  }
  return limit;
}

std::string limit_metrics_text() {
  Table table({{""}, {""}});
  for (const WeightMetric& metric : weight_metrics) table.add({metric.name, metric.meaning});
  for (const ForwardMetric& metric : forward_metrics) table.add({metric.name, metric.meaning});
  std::string text = table.text();
  text.pop_back();  // the line's end: the paragraph has its own
  return text;
}

bool needs_forward_pass(const ComparisonLimit& limit) {
  return find_forward_metric(limit.metric) != nullptr;
}

std::vector<std::string> broken_limits(const RunComparison& comparison,
                                       const std::vector<ComparisonLimit>& limits) {
  std::vector<std::string> sentences;
  for (const ComparisonLimit& limit : limits) {
    if (!has_values(comparison, limit))
      throw UsageError("--fail-above " + limit.metric + ": was not recorded for both checkpoints");
    std::vector<Measured> above = values_of(comparison, limit.metric);
    std::erase_if(above, [&](const Measured& measured) { return !(height(measured) > limit.value); });
    if (above.empty()) continue;
    const Measured worst =
        *std::max_element(above.begin(), above.end(),
                          [](const Measured& a, const Measured& b) { return height(a) < height(b); });
    const bool exists = !std::isnan(worst.value);
    std::string sentence = worst.where + ": " + limit.metric +
                           (exists ? " is above its limit" : " is not a number, and keeps no limit") +
                           " (expected at most " + number(limit.value) + ", found " + number(worst.value) +
                           ")";
    if (above.size() > 1)
      sentence += "; " + std::to_string(above.size() - 1) + " more " + (exists ? "above it" : "likewise");
    sentences.push_back(sentence);
  }
  return sentences;
}

}  // namespace moescope
