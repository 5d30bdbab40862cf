#pragma once
/// What singular values and singular vectors have in common: internal to this folder, as it shows Eigen.

#include <Eigen/Eigenvalues>
#include <span>
#include <vector>

#include "metrics/spectra/singular_values.h"

namespace moescope {

using FloatMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The weights without a copy.
Eigen::Map<const FloatMatrix> as_matrix(const WeightMatrix& matrix);

/// So much of a long side is widened to double at a time.
inline constexpr Eigen::Index panel_width = 256;

/// A symmetric matrix as Q T Qᵀ with T tridiagonal, and the eigenvalues of T.
struct SymmetricDecomposition {
  Eigen::Tridiagonalization<Eigen::MatrixXd> tridiagonal;
  Eigen::VectorXd eigenvalues;  // ascending
};

/// Of a symmetric matrix of finite values, shape (n, n), n > 0.
SymmetricDecomposition decompose_symmetric(std::span<const double> matrix, std::size_t size);

/// Square roots of eigenvalues in descending order; those of negative ones are 0.
std::vector<double> descending_roots(const Eigen::VectorXd& ascending);

/// Eigenvectors of T for its `count` largest eigenvalues as the columns of an orthonormal (n, count) matrix,
/// by inverse iteration. Of eigenvalues that are equal to rounding, any orthonormal basis.
Eigen::MatrixXd leading_tridiagonal_vectors(const SymmetricDecomposition& decomposition, Eigen::Index count);

/// Makes the last of `columns` orthogonal to the others, which are orthonormal, and of length 1.
void orthonormalize_last(Eigen::Ref<Eigen::MatrixXd> columns);

}  // namespace moescope
