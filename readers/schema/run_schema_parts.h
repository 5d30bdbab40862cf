#pragma once
/// The parts of the raw record that have a source of their own, and what all parts share. Internal to
/// run_schema.

#include <initializer_list>
#include <string>
#include <vector>

#include "readers/schema/dataset_row.h"
#include "readers/schema/datasets.h"

namespace moescope {

using Rows = std::vector<DatasetRow>;
using Needs = std::vector<bool RunContents::*>;

/// The labels of the dimensions that have any.
Rows scale_datasets();
/// What tells tensors apart: /tensor_role and its neighbours.
Rows tensor_datasets();
/// What the weight pass leaves: /weights/...
Rows weight_datasets();
/// The spectra of weights: /weights/...
Rows spectra_datasets();
/// What the routers themselves say: /weights/...
Rows router_weight_datasets();

inline constexpr const char* pure_number = "1";            // a unit
inline constexpr const char* own_definition = "moescope";  // a source

template <class T>
DatasetRow row(Dataset<T> dataset, std::vector<std::string> dimensions, std::string unit,
               std::string long_name, std::string description, std::string source) {
  return {{dataset, element_type_of<T>(), std::move(dimensions), std::move(unit), std::move(long_name),
           std::move(description), std::move(source)}};
}

/// The rows of a group, of which all need the same and are joined alike.
inline Rows rows(const Needs& needs, Joining joining, Rows group) {
  for (DatasetRow& one : group) {
    one.needs = needs;
    one.joining = joining;
  }
  return group;
}

/// All of the parts, one after the other.
inline Rows joined(std::initializer_list<Rows> parts) {
  Rows all;
  for (const Rows& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// What many rows need.
inline const Needs always = {}, a_forward_pass = {&RunContents::forward},
                   a_weight_pass = {&RunContents::weights},
                   weights_of_steps = {&RunContents::weights, &RunContents::steps};

}  // namespace moescope
