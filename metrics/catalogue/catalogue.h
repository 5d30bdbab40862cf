#pragma once
/// Every metric there is.

#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "metrics/entry/metric.h"

namespace moescope {

/// All metrics, in the order of presentation.
std::span<const Metric> metric_catalogue();
/// Null for a name that no metric has.
const Metric* find_metric(std::string_view name);
/// Throws std::out_of_range.
const Metric& metric_named(std::string_view name);

/// Those that are computed as one of `Kinds`, e.g. OfCounts.
template <class... Kinds>
std::vector<const Metric*> metrics_of() {
  std::vector<const Metric*> metrics;
  for (const Metric& entry : metric_catalogue()) {
    if ((std::holds_alternative<Kinds>(entry.computation) || ...)) metrics.push_back(&entry);
  }
  return metrics;
}

}  // namespace moescope
