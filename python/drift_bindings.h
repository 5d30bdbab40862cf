#pragma once
/// How far weights moved, for Python.

#include <pybind11/pybind11.h>

namespace moescope {

void bind_drift(pybind11::module_& module);

}  // namespace moescope
