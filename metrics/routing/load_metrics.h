#pragma once
/// How evenly the tokens are spread over the experts: metrics of expert_load.h.

#include <vector>

#include "metrics/entry/metric.h"

namespace moescope {

std::vector<Metric> load_metrics();

}  // namespace moescope
