#pragma once
/// Estimates of how far the weights moved, where exact values may be missing: metrics of sketched_drift.h.

#include <vector>

#include "metrics/entry/metric.h"

namespace moescope {

std::vector<Metric> sketched_drift_metrics();

}  // namespace moescope
