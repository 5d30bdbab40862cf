#pragma once
/// A metric of one layer, token or weight becomes one of whole arrays: it is taken for each element of the
/// leading axes. Computing goes on without Python's lock.

#include <pybind11/numpy.h>

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace moescope {

namespace py = pybind11;

/// Row-major; a copy is made only of what lies or is typed otherwise. Integers must be integers.
using Integers = py::array_t<std::int64_t, py::array::c_style>;
using Doubles = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

using Shape = std::vector<py::ssize_t>;

inline void require(bool condition, const std::string& problem) {
  if (!condition) throw py::value_error(problem);
}

/// All axes of `array` but the last `count`.
inline Shape leading_shape(const py::array& array, py::ssize_t count) {
  require(array.ndim() >= count, "expected at least " + std::to_string(count) + " dimensions, found " +
                                     std::to_string(array.ndim()));
  return {array.shape(), array.shape() + (array.ndim() - count)};
}

inline std::size_t elements(const Shape& shape) {
  std::size_t count = 1;
  for (const py::ssize_t size : shape) count *= static_cast<std::size_t>(size);
  return count;
}

template <class T, int Flags>
std::span<const T> values_of(const py::array_t<T, Flags>& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}

/// A new array, or a plain number where `shape` has no axes.
template <class T>
py::object finished(const py::array_t<T>& result) {
  if (result.ndim() > 0) return result;
  return py::cast(*result.data());
}

/// `metric` of each row of the last axis: (..., E) to (...).
template <class T, int Flags, class Metric>
py::object over_last_axis(const py::array_t<T, Flags>& array, Metric metric) {
  const Shape leading = leading_shape(array, 1);
  py::array_t<double> result(leading);
  const std::span<const T> values = values_of(array);
  const std::size_t rows = elements(leading), width = static_cast<std::size_t>(array.shape(array.ndim() - 1));
  double* const out = result.mutable_data();
  {
    const py::gil_scoped_release release;
    for (std::size_t row = 0; row < rows; ++row)
      out[row] = static_cast<double>(metric(values.subspan(row * width, width)));
  }
  return finished(result);
}

/// `transform(row, result row)` of each row of the last axis: (..., E) to (..., E).
template <class T, int Flags, class Transform>
py::array_t<double> along_last_axis(const py::array_t<T, Flags>& array, Transform transform) {
  const Shape leading = leading_shape(array, 1);
  py::array_t<double> result(Shape(array.shape(), array.shape() + array.ndim()));
  const std::span<const T> values = values_of(array);
  const std::size_t rows = elements(leading), width = static_cast<std::size_t>(array.shape(array.ndim() - 1));
  const std::span<double> out{result.mutable_data(), static_cast<std::size_t>(result.size())};
  const py::gil_scoped_release release;
  for (std::size_t row = 0; row < rows; ++row)
    transform(values.subspan(row * width, width), out.subspan(row * width, width));
  return result;
}

/// Expert indices as the metrics take them; throws ValueError for one that is none.
inline std::vector<std::uint16_t> expert_indices(const Integers& array) {
  std::vector<std::uint16_t> indices;
  indices.reserve(static_cast<std::size_t>(array.size()));
  for (const std::int64_t index : values_of(array)) {
    require(index >= 0 && index <= std::numeric_limits<std::uint16_t>::max(),
            "expected indices of experts, found " + std::to_string(index));
    indices.push_back(static_cast<std::uint16_t>(index));
  }
  return indices;
}

}  // namespace moescope
