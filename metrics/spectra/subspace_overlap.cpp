#include "metrics/spectra/subspace_overlap.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "metrics/spectra/decomposition.h"

namespace moescope {
namespace {

constexpr Eigen::Index panel_width = 256;  // so much of a long side is widened to double at a time
constexpr double determined = 1e-6;  // of sigma_1; squared it is far above the rounding of the Gram matrix

/// The singular vectors of the long side that belong to those of the short side: A v = sigma u.
Eigen::MatrixXd other_side(const WeightMatrix& matrix, const Eigen::MatrixXd& short_vectors) {
  const auto weights = as_matrix(matrix);
  const bool wide = weights.rows() <= weights.cols();
  Eigen::MatrixXd result(std::max(weights.rows(), weights.cols()), short_vectors.cols());
  for (Eigen::Index start = 0; start < result.rows(); start += panel_width) {
    const Eigen::Index width = std::min(panel_width, result.rows() - start);
    if (wide) {
      result.middleRows(start, width) =
          weights.middleCols(start, width).transpose().cast<double>() * short_vectors;
    } else {
      result.middleRows(start, width) = weights.middleRows(start, width).cast<double>() * short_vectors;
    }
  }
  for (Eigen::Index i = 0; i < result.cols(); ++i) orthonormalize_last(result.leftCols(i + 1));
  return result;
}

Eigen::Map<const Eigen::MatrixXd> as_columns(const LeadingSubspace& subspace) {
  const auto count = static_cast<Eigen::Index>(subspace.count);
  return {subspace.vectors.data(), static_cast<Eigen::Index>(subspace.vectors.size()) / count, count};
}

}  // namespace

LeadingSubspace leading_subspace(const WeightMatrix& matrix, SingularSide side, std::size_t count) {
  const std::size_t size = std::min(matrix.rows, matrix.columns);
  if (size == 0) return {};
  LeadingSubspace result = leading_subspace_of_gram(gram_matrix(matrix), size, count);
  const bool left_is_short = matrix.rows <= matrix.columns;
  if (result.count == 0 || (side == SingularSide::left) == left_is_short) return result;
  const Eigen::MatrixXd vectors = other_side(matrix, as_columns(result));
  result.vectors.assign(vectors.data(), vectors.data() + vectors.size());
  return result;
}

LeadingSubspace leading_subspace_of_gram(std::vector<double> gram, std::size_t size, std::size_t count) {
  if (size == 0) return {};
  if (!is_finite(gram, size)) {
    return {std::vector<double>(size, std::numeric_limits<double>::quiet_NaN()), 0, {}};
  }
  LeadingSubspace result;
  const SymmetricDecomposition decomposition = decompose_symmetric(std::move(gram), size);
  result.singular_values = roots(decomposition.eigenvalues);
  const std::vector<double>& sigma = result.singular_values;
  if (count == 0 || count > size || !(sigma[count - 1] > determined * sigma[0])) return result;
  Eigen::MatrixXd vectors = leading_tridiagonal_vectors(decomposition, static_cast<Eigen::Index>(count));
  decomposition.apply_rotation(vectors);
  result.count = count;
  result.vectors.assign(vectors.data(), vectors.data() + vectors.size());
  return result;
}

double subspace_overlap(const LeadingSubspace& a, const LeadingSubspace& b) {
  if (a.count == 0 || a.count != b.count) return std::numeric_limits<double>::quiet_NaN();
  assert(a.vectors.size() == b.vectors.size());
  const double overlap =
      (as_columns(a).transpose() * as_columns(b)).squaredNorm() / static_cast<double>(a.count);
  return std::min(overlap, 1.0);  // rounding must not lead out of [0, 1]
}

}  // namespace moescope
