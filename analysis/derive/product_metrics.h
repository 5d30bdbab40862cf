#pragma once
/// Metrics of how far and in which direction weights moved, by role and by layer, from the inner products of
/// single tensors.

#include <limits>
#include <string_view>
#include <vector>

#include "metrics/entry/metric.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// Defines and writes them if the run has a weight pass. The inner products of a role are the sums of those
/// of its tensors: all of them as one long vector. Tensors are read a few hundred at a time. What describes a
/// step from one checkpoint to the next, or needs a direction, is left out where there is one checkpoint.
/// Throws FormatError when a tensor is not part of the configured model.
void write_product_metrics(RunFile& run);

/// The metrics of inner products whose groups are by `axes`, the last dimensions, that the run can have: it
/// has all dimensions.
std::vector<const Metric*> product_metrics(const RunFile& run, const std::vector<std::string>& axes);

}  // namespace moescope
