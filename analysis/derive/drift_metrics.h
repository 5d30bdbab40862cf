#pragma once
/// How far and in which direction the weights of each role moved, from the inner products of single tensors.

#include "readers/run_file/run_file.h"

namespace moescope {

/// Defines and writes them if the run has a weight pass. The inner products of a role are the sums of those
/// of its tensors: all of them as one long vector. Tensors are read a few hundred at a time. What describes a
/// step from one checkpoint to the next, or needs a direction, is left out where there is one checkpoint.
/// Throws FormatError when a tensor is not part of the configured model.
void write_drift_metrics(RunFile& run);

}  // namespace moescope
