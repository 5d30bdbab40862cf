#pragma once
/// What changed between two checkpoints, in words.

#include <cstddef>
#include <string>

#include "analysis/comparison/run_comparison.h"

namespace moescope {

/// For people: the `top` most changed experts, tensors and loads.
std::string text_of(const RunComparison& comparison, std::size_t top);

}  // namespace moescope
