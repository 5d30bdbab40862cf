#pragma once
/// The part of the raw record that the weight pass leaves: /weights/... Internal to run_schema.

#include <vector>

#include "readers/run_file.h"

namespace moescope {

std::vector<DatasetSpec> weight_datasets();

}  // namespace moescope
