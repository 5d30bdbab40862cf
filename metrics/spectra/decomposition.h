#pragma once
/// What singular values and singular vectors have in common: internal to this folder, as it shows Eigen.

#include <Eigen/Core>
#include <span>
#include <vector>

#include "metrics/spectra/singular_values.h"

namespace moescope {

using FloatMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The weights without a copy.
Eigen::Map<const FloatMatrix> as_matrix(const WeightMatrix& matrix);

/// A symmetric matrix as Q T Qᵀ with T tridiagonal, and the eigenvalues of T.
struct SymmetricDecomposition {
  std::vector<double> reflections;  // (n, n): row j beyond the superdiagonal is v_j without its leading 1
  Eigen::VectorXd factors;      // (n - 1): Q is the product of I - factor_j v_j v_jᵀ, the first leftmost
  Eigen::VectorXd diagonal;     // (n), of T
  Eigen::VectorXd subdiagonal;  // (n - 1)
  std::vector<double> eigenvalues;  // (n), descending

  /// Q times the columns of `vectors`, (n, any number).
  void apply_rotation(Eigen::MatrixXd& vectors) const;
};

/// Whether all elements of a matrix are finite, from its Gram matrix.
bool is_finite(std::span<const double> gram, std::size_t size);

/// Of a symmetric matrix of finite values, shape (n, n), n > 0, of which the upper triangle counts,
/// row-major.
SymmetricDecomposition decompose_symmetric(std::vector<double> matrix, std::size_t size);

/// The `count` largest eigenvalues of a symmetric tridiagonal matrix, descending, each right to a few 1e-16
/// of the largest magnitude.
std::vector<double> largest_eigenvalues(const Eigen::VectorXd& diagonal, const Eigen::VectorXd& subdiagonal,
                                        std::size_t count);

/// Square roots of eigenvalues; those of negative ones are 0.
std::vector<double> roots(std::span<const double> eigenvalues);

/// Eigenvectors of T for its `count` largest eigenvalues as the columns of an orthonormal (n, count) matrix,
/// by inverse iteration. Of eigenvalues that are equal to rounding, any orthonormal basis.
Eigen::MatrixXd leading_tridiagonal_vectors(const SymmetricDecomposition& decomposition, Eigen::Index count);

/// Makes the last of `columns` orthogonal to the others, which are orthonormal, and of length 1.
void orthonormalize_last(Eigen::Ref<Eigen::MatrixXd> columns);

}  // namespace moescope
