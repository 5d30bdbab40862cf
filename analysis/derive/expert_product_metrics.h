#pragma once
/// Metrics of how far each routed expert moved, its three matrices as one long vector.

#include "readers/run_file/run_file.h"

namespace moescope {

/// Defines and writes them if the run has a weight pass and the model has routed experts. Inner products are
/// held for the experts of one layer at a time.
/// Throws FormatError when a tensor is not part of the configured model.
void write_expert_product_metrics(RunFile& run);

}  // namespace moescope
