#pragma once
/// Experts that changed places between checkpoints, as a report has to say before anything else.

#include <string>
#include <vector>

#include "readers/run_file/run_file.h"

namespace moescope {

/// A sentence for each step between checkpoints at which experts certainly moved, by router rows
/// (/weights/expert_match) or by their own weights (/weights/expert_weight_match, where the file has it);
/// none where the file has no such datasets.
std::vector<std::string> expert_moves(const RunFile& run);

}  // namespace moescope
