#pragma once
/// What changed between two checkpoints, in words and as JSON.

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "analysis/comparison/run_comparison.h"

namespace moescope {

/// For people: the `top` most changed experts, tensors and loads.
std::string text_of(const RunComparison& comparison, std::size_t top);
/// For scripts: everything.
nlohmann::ordered_json json_of(const RunComparison& comparison);

}  // namespace moescope
