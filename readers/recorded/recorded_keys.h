#pragma once
/// What each weight tensor of a run file is.

#include <span>
#include <vector>

#include "readers/model/weight.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// What each of /tensor is, in its order, with layers and experts that the file has. From /tensor_role and
/// its neighbours; of files that lack them, which earlier versions wrote, from the tensors' names. Throws
/// FormatError where they name what is not there, or names are not those of the model in /checkpoint_info.
std::vector<WeightKey> recorded_keys(const RunFile& run);

/// The datasets must be defined.
void write_keys(RunFile& run, std::span<const WeightKey> keys);

}  // namespace moescope
