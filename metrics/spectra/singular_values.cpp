#include "metrics/spectra/singular_values.h"

#include <Eigen/QR>
#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "metrics/spectra/decomposition.h"
#include "metrics/spectra/symmetric_kernels.h"

namespace moescope {
namespace {

std::vector<double> unknown(std::size_t count) {
  return std::vector<double>(count, std::numeric_limits<double>::quiet_NaN());
}

/// An upper bidiagonal matrix with the singular values of a square one.
struct Bidiagonal {
  Eigen::VectorXd diagonal, superdiagonal;  // (n), (n - 1)
};

/// By reflections from both sides in turn (Golub and Kahan 1965).
Bidiagonal bidiagonalize(Eigen::MatrixXd square) {
  const Eigen::Index n = square.rows();
  Bidiagonal result{Eigen::VectorXd(n), Eigen::VectorXd(n - 1)};
  Eigen::VectorXd workspace(n);
  double factor = 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    const Eigen::Index rest = n - 1 - i;
    auto column = square.col(i).tail(rest + 1);
    column.makeHouseholderInPlace(factor, result.diagonal[i]);
    if (rest == 0) break;
    square.bottomRightCorner(rest + 1, rest)
        .applyHouseholderOnTheLeft(column.tail(rest), factor, workspace.data());
    auto row = square.row(i).tail(rest);
    row.makeHouseholderInPlace(factor, result.superdiagonal[i]);
    square.bottomRightCorner(rest, rest)
        .applyHouseholderOnTheRight(row.tail(rest - 1).transpose(), factor, workspace.data());
  }
  return result;
}

std::vector<double> direct_singular_values(const WeightMatrix& matrix) {
  const auto weights = as_matrix(matrix);
  Eigen::MatrixXd tall;
  if (weights.rows() < weights.cols()) {
    tall = weights.transpose().cast<double>();
  } else {
    tall = weights.cast<double>();
  }
  const Eigen::Index n = tall.cols();
  const Eigen::HouseholderQR<Eigen::Ref<Eigen::MatrixXd>> qr(tall);  // in place
  const Bidiagonal values = bidiagonalize(tall.topRows(n).triangularView<Eigen::Upper>());
  // They are the largest half of the eigenvalues of a tridiagonal matrix: of (0 B; Bᵀ 0), with rows and
  // columns in turns.
  Eigen::VectorXd subdiagonal(2 * n - 1);
  for (Eigen::Index i = 0; i < n; ++i) {
    subdiagonal[2 * i] = values.diagonal[i];
    if (i + 1 < n) subdiagonal[2 * i + 1] = values.superdiagonal[i];
  }
  return largest_eigenvalues(Eigen::VectorXd::Zero(2 * n), subdiagonal, static_cast<std::size_t>(n));
}

/// Its columns as the rows of another.
StridedMatrix<float> columns_of(const WeightMatrix& matrix) {
  return {matrix.values.data(), matrix.columns, matrix.rows, 1, matrix.columns};
}

}  // namespace

std::vector<double> gram_matrix(const WeightMatrix& matrix) {
  const std::size_t size = std::min(matrix.rows, matrix.columns);
  std::vector<double> gram(size * size);
  const StridedMatrix<float> rows{matrix.values.data(), matrix.rows, matrix.columns, matrix.columns, 1};
  add_row_products(matrix.rows <= matrix.columns ? rows : columns_of(matrix), gram.data());
  return gram;
}

void add_column_gram(const WeightMatrix& rows, std::span<double> gram) {
  assert(gram.size() == rows.columns * rows.columns);
  add_row_products(columns_of(rows), gram.data());
}

std::vector<double> singular_values_of_gram(std::vector<double> gram, std::size_t size) {
  if (size == 0) return {};
  if (!is_finite(gram, size)) return unknown(size);
  return roots(decompose_symmetric(std::move(gram), size).eigenvalues);
}

std::vector<double> singular_values(const WeightMatrix& matrix) {
  const std::size_t size = std::min(matrix.rows, matrix.columns);
  if (size == 0) return {};
  if (size > direct_decomposition_limit) return singular_values_of_gram(gram_matrix(matrix), size);
  return as_matrix(matrix).allFinite() ? direct_singular_values(matrix) : unknown(size);
}

}  // namespace moescope
