#pragma once
/// Metrics of the router, from what was recorded per token: means and quantiles over tokens.

#include <span>

#include "analysis/record/forward_record.h"

namespace moescope {

/// The levels of the dimension `quantile`: 5 %, median, 95 %.
std::span<const double> recorded_quantiles();

/// Defines and writes those whose record the file has, one checkpoint and layer at a time.
void write_token_metrics(RunFile& run, const ForwardRecord& record);

}  // namespace moescope
