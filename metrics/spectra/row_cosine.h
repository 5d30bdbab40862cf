#pragma once
/// How alike the rows of two matrices are, e.g. the rows of a router, of which each expert has one.
///
/// Products of floats are exact in double; they are added up in Eigen's block order, the same on one machine
/// whatever the threads. Pure, thread-safe, and start no threads.

#include <vector>

#include "metrics/spectra/singular_values.h"

namespace moescope {

/// Lengths of the rows: shape (rows). NaN or infinite where an element is not finite.
std::vector<double> row_norms(const WeightMatrix& matrix);

/// Cosines of every row of `a` with every row of `b`, in [-1, 1]: shape (a.rows, b.rows), row-major. NaN
/// where either row is zero or has an element that is not finite. Both matrices have the same number of
/// columns.
std::vector<double> row_cosines(const WeightMatrix& a, const WeightMatrix& b);

}  // namespace moescope
