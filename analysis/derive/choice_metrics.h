#pragma once
/// Metrics of how far the checkpoints of a run choose the same experts.

#include "analysis/record/forward_record.h"

namespace moescope {

/// Defines and writes them, one layer at a time: the choices of all checkpoints in that layer are in memory,
/// 2 C T K bytes.
void write_choice_metrics(RunFile& run, const ForwardRecord& record);

}  // namespace moescope
