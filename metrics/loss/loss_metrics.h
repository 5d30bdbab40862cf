#pragma once
/// How well the model predicts the next token: metrics of language_loss.h.

#include <vector>

#include "metrics/entry/metric.h"

namespace moescope {

std::vector<Metric> loss_metrics();

}  // namespace moescope
