#pragma once
/// The parts of the raw record that have a source of their own, and what all parts share. Internal to
/// run_schema.

#include <initializer_list>
#include <vector>

#include "readers/schema/dataset_spec.h"

namespace moescope {

/// The labels of the dimensions that have any.
std::vector<DatasetSpec> scale_datasets();
/// What the weight pass leaves: /weights/...
std::vector<DatasetSpec> weight_datasets();
/// The spectra of weights: /weights/...
std::vector<DatasetSpec> spectra_datasets();
/// What the routers themselves say: /weights/...
std::vector<DatasetSpec> router_weight_datasets();

inline constexpr const char* pure_number = "1";            // a unit
inline constexpr const char* own_definition = "moescope";  // a source

/// All of the parts, one after the other.
inline std::vector<DatasetSpec> joined(std::initializer_list<std::vector<DatasetSpec>> parts) {
  std::vector<DatasetSpec> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace moescope
