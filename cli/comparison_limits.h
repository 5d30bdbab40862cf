#pragma once
/// Limits that a script sets on what may change between two checkpoints: --fail-above METRIC=VALUE.

#include <string>
#include <vector>

#include "analysis/comparison/run_comparison.h"

namespace moescope {

/// `metric` is a name of `compare --json`, for weights also with its place before it: "relative_drift" is
/// that of anything, "experts.relative_drift" that of single experts.
struct ComparisonLimit {
  std::string metric;
  double value = 0;
};

/// From "METRIC=VALUE". Throws UsageError, for an unknown metric with the closest name.
ComparisonLimit parse_limit(const std::string& text);

/// Every metric that can have a limit and what it is, one line each, for --help.
std::string limit_metrics_text();

/// Whether the metric needs the losses or the routing of both checkpoints.
bool needs_forward_pass(const ComparisonLimit& limit);

/// One sentence for each limit that is broken: what is farthest above it, and how many others are. A move
/// away from 0 and a value that does not exist break every limit. Throws UsageError when the
/// comparison has no such values.
std::vector<std::string> broken_limits(const RunComparison& comparison,
                                       const std::vector<ComparisonLimit>& limits);

}  // namespace moescope
