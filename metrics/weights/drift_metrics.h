#pragma once
/// How far and in which direction the weights moved: metrics of weight_drift.h, weight_path.h and
/// trajectory_pca.h.

#include <vector>

#include "metrics/entry/metric.h"

namespace moescope {

std::vector<Metric> drift_metrics();

}  // namespace moescope
