#pragma once
/// Whether an analysis had enough tokens for what it says about the balance of experts.

#include <string>

#include "readers/run_file/run_file.h"

namespace moescope {

/// A sentence for the user that names the domains whose MaxVio is mostly chance: random balanced routing of
/// so many tokens would give (attribute chance_by_domain) at least 0.1, and at least half of what is seen on
/// average over layers and checkpoints. Empty where there is none, without routing metrics, and before all
/// forward passes are finished.
std::string describe_few_tokens(const RunFile& run);

}  // namespace moescope
