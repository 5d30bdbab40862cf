#pragma once
/// The part of the catalogue that follows from the weights.

#include <vector>

#include "metrics/catalogue/metric_info.h"

namespace moescope {

/// In the order of presentation, each with from_weights. metric_catalogue() holds them, behind the others.
std::vector<MetricInfo> weight_metrics();

}  // namespace moescope
