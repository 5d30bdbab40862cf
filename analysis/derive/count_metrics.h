#pragma once
/// Metrics that follow from the expert counts alone.

#include "analysis/record/forward_record.h"

namespace moescope {

/// Defines and writes them, one checkpoint at a time.
void write_count_metrics(RunFile& run, const ForwardRecord& record);

}  // namespace moescope
