#include "metrics/spectra/decomposition.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

namespace moescope {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

/// Eigenvalues of a symmetric tridiagonal matrix, ascending. Eigen's stopping rule wants entries of order 1.
Eigen::VectorXd tridiagonal_eigenvalues(Eigen::VectorXd diagonal, Eigen::VectorXd subdiagonal) {
  const double scale = std::max(diagonal.lpNorm<Eigen::Infinity>(),
                                subdiagonal.size() > 0 ? subdiagonal.lpNorm<Eigen::Infinity>() : 0.0);
  if (scale == 0) return diagonal;
  diagonal /= scale;
  subdiagonal /= scale;
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
  solver.computeFromTridiagonal(diagonal, subdiagonal, Eigen::EigenvaluesOnly);
  if (solver.info() != Eigen::Success) throw std::runtime_error("the eigenvalues did not converge");
  return solver.eigenvalues() * scale;
}

/// L U factors, with row exchanges, of T - shift I for tridiagonal T of size n.
struct ShiftedFactors {
  Eigen::VectorXd diagonal, upper, second_upper;  // of U: (n) each, the last of upper, two of second unused
  Eigen::VectorXd multiplier;                     // of L: (n - 1)
  std::vector<bool> exchanged;                    // rows i and i + 1
};

ShiftedFactors factorize(const Eigen::VectorXd& diagonal, const Eigen::VectorXd& subdiagonal, double shift,
                         double smallest_pivot) {
  const Eigen::Index n = diagonal.size();
  ShiftedFactors f{diagonal.array() - shift, Eigen::VectorXd::Zero(n), Eigen::VectorXd::Zero(n),
                   Eigen::VectorXd::Zero(n), std::vector<bool>(static_cast<std::size_t>(n))};
  f.upper.head(n - 1) = subdiagonal;
  for (Eigen::Index i = 0; i + 1 < n; ++i) {
    double below = subdiagonal[i];
    if (std::abs(below) > std::abs(f.diagonal[i])) {
      f.exchanged[static_cast<std::size_t>(i)] = true;
      std::swap(f.diagonal[i], below);
      std::swap(f.upper[i], f.diagonal[i + 1]);
      std::swap(f.second_upper[i], f.upper[i + 1]);
    }
    if (std::abs(f.diagonal[i]) < smallest_pivot) f.diagonal[i] = smallest_pivot;
    f.multiplier[i] = below / f.diagonal[i];
    f.diagonal[i + 1] -= f.multiplier[i] * f.upper[i];
    f.upper[i + 1] -= f.multiplier[i] * f.second_upper[i];
  }
  if (std::abs(f.diagonal[n - 1]) < smallest_pivot) f.diagonal[n - 1] = smallest_pivot;
  return f;
}

void solve_in_place(const ShiftedFactors& f, Eigen::Ref<Eigen::VectorXd> x) {
  const Eigen::Index n = x.size();
  for (Eigen::Index i = 0; i + 1 < n; ++i) {
    if (f.exchanged[static_cast<std::size_t>(i)]) std::swap(x[i], x[i + 1]);
    x[i + 1] -= f.multiplier[i] * x[i];
  }
  for (Eigen::Index i = n; i-- > 0;) {
    if (i + 1 < n) x[i] -= f.upper[i] * x[i + 1];
    if (i + 2 < n) x[i] -= f.second_upper[i] * x[i + 2];
    x[i] /= f.diagonal[i];
  }
}

}  // namespace

Eigen::Map<const FloatMatrix> as_matrix(const WeightMatrix& matrix) {
  assert(matrix.values.size() == matrix.rows * matrix.columns);
  return {matrix.values.data(), static_cast<Eigen::Index>(matrix.rows),
          static_cast<Eigen::Index>(matrix.columns)};
}

SymmetricDecomposition decompose_symmetric(std::span<const double> matrix, std::size_t size) {
  assert(size > 0 && matrix.size() == size * size);
  const auto n = static_cast<Eigen::Index>(size);
  SymmetricDecomposition result{
      Eigen::Tridiagonalization<Eigen::MatrixXd>(Eigen::Map<const Eigen::MatrixXd>(matrix.data(), n, n)), {}};
  result.eigenvalues =
      tridiagonal_eigenvalues(result.tridiagonal.diagonal(), result.tridiagonal.subDiagonal());
  return result;
}

std::vector<double> descending_roots(const Eigen::VectorXd& ascending) {
  std::vector<double> roots(static_cast<std::size_t>(ascending.size()));
  std::transform(ascending.begin(), ascending.end(), roots.rbegin(),
                 [](double square) { return square > 0 ? std::sqrt(square) : 0; });
  return roots;
}

void orthonormalize_last(Eigen::Ref<Eigen::MatrixXd> columns) {
  const Eigen::Index others = columns.cols() - 1;
  auto last = columns.col(others);
  last.normalize();
  for (int pass = 0; pass < 2; ++pass) {  // twice is enough (Giraud and Langou 2005)
    const Eigen::VectorXd along = columns.leftCols(others).transpose() * last;
    last -= columns.leftCols(others) * along;
    last.normalize();
  }
}

Eigen::MatrixXd leading_tridiagonal_vectors(const SymmetricDecomposition& decomposition, Eigen::Index count) {
  const Eigen::VectorXd diagonal = decomposition.tridiagonal.diagonal();
  const Eigen::VectorXd subdiagonal = decomposition.tridiagonal.subDiagonal();
  const Eigen::Index n = diagonal.size();
  const double largest = decomposition.eigenvalues.lpNorm<Eigen::Infinity>();
  const double smallest_pivot = std::max(epsilon * largest, std::numeric_limits<double>::min());
  std::mt19937 generator(1);  // any start that is not orthogonal to the vector will do; always the same
  std::uniform_real_distribution<double> uniform(-1, 1);
  Eigen::MatrixXd vectors(n, count);
  for (Eigen::Index i = 0; i < count; ++i) {
    const ShiftedFactors factors =
        factorize(diagonal, subdiagonal, decomposition.eigenvalues[n - 1 - i], smallest_pivot);
    vectors.col(i) = Eigen::VectorXd::NullaryExpr(n, [&] { return uniform(generator); });
    for (int step = 0; step < 3; ++step) {
      solve_in_place(factors, vectors.col(i));
      orthonormalize_last(vectors.leftCols(i + 1));
    }
  }
  return vectors;
}

}  // namespace moescope
