#pragma once
/// Metrics of how far the weights of each role moved, estimated from /weights/sketch: needs no weights and no
/// inner products of both checkpoints.

#include "readers/run_file/run_file.h"

namespace moescope {

/// Defines and writes them if the run has sketches. They are
/// read a few hundred tensors at a time. Throws FormatError when a tensor is not part of the configured
/// model.
void write_sketch_metrics(RunFile& run);

}  // namespace moescope
