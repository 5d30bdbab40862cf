#include "metrics/spectra/row_cosine.h"

#include <Eigen/Core>
#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "metrics/spectra/decomposition.h"

namespace moescope {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Rows of length 1; rows that have no direction become NaN.
RowMajor directions(const WeightMatrix& matrix) {
  RowMajor rows = as_matrix(matrix).cast<double>();
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    const double norm = rows.row(i).norm();
    if (norm > 0 && std::isfinite(norm)) {
      rows.row(i) /= norm;
    } else {
      rows.row(i).setConstant(std::numeric_limits<double>::quiet_NaN());
    }
  }
  return rows;
}

}  // namespace

std::vector<double> row_norms(const WeightMatrix& matrix) {
  const Eigen::VectorXd norms = as_matrix(matrix).cast<double>().rowwise().norm();
  return {norms.begin(), norms.end()};
}

std::vector<double> row_cosines(const WeightMatrix& a, const WeightMatrix& b) {
  assert(a.columns == b.columns);
  const RowMajor cosines = directions(a) * directions(b).transpose();
  std::vector<double> result(cosines.data(), cosines.data() + cosines.size());
  for (double& cosine : result) {  // rounding must not lead out of [-1, 1]; NaN stays
    if (std::abs(cosine) > 1) cosine = std::copysign(1.0, cosine);
  }
  return result;
}

}  // namespace moescope
