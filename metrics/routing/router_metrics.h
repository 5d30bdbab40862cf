#pragma once
/// How sure the router is: means and quantiles over tokens of what is recorded for each.

#include <vector>

#include "metrics/entry/metric.h"

namespace moescope {

std::vector<Metric> router_metrics();

}  // namespace moescope
