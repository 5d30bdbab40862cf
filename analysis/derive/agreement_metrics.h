#pragma once
/// How far the checkpoints of a run choose the same experts: saturation and pairwise agreement.

#include "analysis/record/forward_record.h"

namespace moescope {

/// Defines and writes them, one layer at a time: the choices of all checkpoints in that layer are in memory,
/// 2 C T K bytes.
void write_agreement_metrics(RunFile& run, const ForwardRecord& record);

}  // namespace moescope
