#pragma once
/// The pure metrics for Python: functions from numpy arrays to numpy arrays.

#include <pybind11/pybind11.h>

namespace moescope {

void bind_metrics(pybind11::module_& module);

}  // namespace moescope
