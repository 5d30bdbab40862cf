#pragma once
/// The singular values of benchmark_spectra by others' decompositions, one thread.

#include <vector>

#include "metrics/spectra/singular_values.h"

namespace moescope {

/// By the Gram matrix and its eigenvalues, or by QR and a bidiagonal SVD, as metrics/spectra chooses.
std::vector<double> eigen_singular_values(const WeightMatrix& matrix);
std::vector<double> openblas_singular_values(const WeightMatrix& matrix);

}  // namespace moescope
