#pragma once
/// What changed between two checkpoints, for scripts.

#include <nlohmann/json_fwd.hpp>

#include "analysis/comparison/run_comparison.h"

namespace moescope {

/// Everything.
nlohmann::ordered_json json_of(const RunComparison& comparison);

}  // namespace moescope
