#pragma once
/// The part of the raw record that tells the spectra of weights, and what the routers themselves say:
/// /weights/... Internal to run_schema.

#include <vector>

#include "readers/run_file.h"

namespace moescope {

std::vector<DatasetSpec> spectra_datasets();
std::vector<DatasetSpec> router_weight_datasets();

}  // namespace moescope
