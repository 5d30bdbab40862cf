#pragma once
/// A plan as it is printed.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "analysis/plan/run_plan.h"

namespace moescope {

/// For people. Notes are left to the caller.
std::string text_of(const RunPlan& plan);
/// For scripts: the same facts and every layer; bytes, seconds and operations unrounded, notes included.
nlohmann::ordered_json json_of(const RunPlan& plan);

}  // namespace moescope
