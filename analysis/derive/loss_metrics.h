#pragma once
/// Metrics of how well the model predicts, from the loss of each token.

#include "analysis/record/forward_record.h"

namespace moescope {

/// Defines and writes them, one checkpoint at a time.
void write_loss_metrics(RunFile& run, const ForwardRecord& record);

}  // namespace moescope
