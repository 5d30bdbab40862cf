#pragma once
/// How far the checkpoints choose the same experts: metrics of router_saturation.h.

#include <vector>

#include "metrics/entry/metric.h"

namespace moescope {

std::vector<Metric> agreement_metrics();

}  // namespace moescope
