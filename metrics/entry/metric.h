#pragma once
/// A metric is an entry: its name, formula and source, how it is computed from the record of a run, what its
/// values are held against, and how it is drawn. Whatever else is said or done with it follows from there:
/// the run file's dataset and attributes, figures and captions, the Python function, data/run_format.md.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/entry/computation.h"
#include "metrics/entry/level.h"
#include "metrics/entry/metric_figure.h"
#include "metrics/entry/metric_summary.h"

namespace moescope {

struct Metric {
  std::string name = {};       // "max_violation": the dataset /metrics/max_violation
  std::string long_name = {};  // "Maximum load violation (MaxVio)": titles and axis labels
  std::string unit = "1";      // "nat", "tokens"
  std::vector<std::string> axes =
      {};                        // dimensions of the run file, e.g. {"checkpoint", "domain", "moe_layer"}
  std::string formula = {};      // one line of plain text, e.g. "max_e n_e / mean(n) - 1"
  std::string description = {};  // one sentence: what it tells, which way is good
  std::string source = {};       // paper and equation
  Computation computation = {};
  Level chance = {}, lower_bound = {}, upper_bound = {};
  const char* missing = "";  // why a value may be NaN
  /// Why all of them are, at these sizes whatever is measured, which is then the reason and no other; null
  /// where they are not.
  const char* (*undefined)(const RoutingSizes& sizes) = nullptr;
  std::vector<MetricFigure> figures = {};
  std::optional<MetricSummary> summary = {};
};

/// The dataset of a metric.
std::string metric_path(std::string_view name);

/// All of the parts, one after the other.
std::vector<Metric> joined(std::initializer_list<std::vector<Metric>> parts);

bool has_axis(const Metric& metric, std::string_view axis);
/// It follows from the weight pass, else from forward passes.
bool is_from_weights(const Metric& metric);
/// It needs sketches of the weights.
bool is_from_sketches(const Metric& metric);

/// The name of `name` over the tokens of all domains together.
std::string pooled_name(std::string_view name);
/// The entry of that, which is drawn and told with the metric by domain.
Metric pooled(Metric by_domain, std::string long_name, std::string description);

}  // namespace moescope
