#include "metrics/spectra/decomposition.h"

#include <Eigen/Householder>
#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include "metrics/spectra/symmetric_kernels.h"

namespace moescope {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

constexpr Eigen::Index block_columns = 32;

/// Reduces `matrix`, whose lower triangle counts, to T, `block_columns` columns at a time, so that most of
/// the work on what is left of it is done for a block at once (Dongarra, Sorensen and Hammarling 1989).
void tridiagonalize(Eigen::Map<Eigen::MatrixXd> matrix, SymmetricDecomposition& result) {
  const Eigen::Index n = matrix.rows();
  Eigen::MatrixXd v(n, block_columns), w(n, block_columns);  // a block's share is - V Wᵀ - W Vᵀ
  for (Eigen::Index first = 0; first + 1 < n; first += block_columns) {
    const Eigen::Index end = std::min(first + block_columns, n - 1);
    for (Eigen::Index j = first; j < end; ++j) {
      const Eigen::Index before = j - first, below = n - 1 - j;
      auto column = matrix.col(j).tail(below + 1);
      column.noalias() -= v.block(j, 0, below + 1, before) * w.row(j).head(before).transpose();
      column.noalias() -= w.block(j, 0, below + 1, before) * v.row(j).head(before).transpose();
      result.diagonal[j] = column[0];
      column.tail(below).makeHouseholderInPlace(result.factors[j], result.subdiagonal[j]);

      auto x = v.col(before).tail(below), y = w.col(before).tail(below);
      x[0] = 1;
      x.tail(below - 1) = column.tail(below - 1);
      multiply_symmetric(&matrix(j + 1, j + 1), static_cast<std::size_t>(below), static_cast<std::size_t>(n),
                         x.data(), y.data());
      const auto v_before = v.block(j + 1, 0, below, before), w_before = w.block(j + 1, 0, below, before);
      y.noalias() -= v_before * (w_before.transpose() * x);
      y.noalias() -= w_before * (v_before.transpose() * x);
      y *= result.factors[j];
      y -= result.factors[j] / 2 * y.dot(x) * x;
    }
    const auto rows = static_cast<std::size_t>(n - end), columns = static_cast<std::size_t>(end - first);
    subtract_symmetric_products({&v(end, 0), rows, columns, 1, static_cast<std::size_t>(n)},
                                {&w(end, 0), rows, columns, 1, static_cast<std::size_t>(n)},
                                &matrix(end, end), static_cast<std::size_t>(n));
  }
  result.diagonal[n - 1] = matrix(n - 1, n - 1);
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

void SymmetricDecomposition::apply_rotation(Eigen::MatrixXd& vectors) const {
  const Eigen::Map<const Eigen::MatrixXd> columns(reflections.data(), diagonal.size(), diagonal.size());
  vectors.applyOnTheLeft(Eigen::householderSequence(columns, factors).setLength(factors.size()).setShift(1));
}

bool is_finite(std::span<const double> gram, std::size_t size) {
  assert(gram.size() == size * size);
  for (std::size_t i = 0; i < size; ++i) {  // the squared lengths, of floats never beyond double
    if (!std::isfinite(gram[i * size + i])) return false;
  }
  return true;
}

SymmetricDecomposition decompose_symmetric(std::vector<double> matrix, std::size_t size) {
  assert(size > 0 && matrix.size() == size * size);
  const auto n = static_cast<Eigen::Index>(size);
  SymmetricDecomposition result{
      std::move(matrix), Eigen::VectorXd(n - 1), Eigen::VectorXd(n), Eigen::VectorXd(n - 1), {}};
  tridiagonalize({result.reflections.data(), n, n}, result);
  result.eigenvalues = largest_eigenvalues(result.diagonal, result.subdiagonal, size);
  return result;
}

std::vector<double> largest_eigenvalues(const Eigen::VectorXd& diagonal, const Eigen::VectorXd& subdiagonal,
                                        std::size_t count) {
  const double largest = std::max(diagonal.lpNorm<Eigen::Infinity>(),
                                  subdiagonal.size() > 0 ? subdiagonal.lpNorm<Eigen::Infinity>() : 0.0);
  if (largest == 0) return std::vector<double>(count, 0.0);
  const double scale = std::exp2(std::ilogb(largest) + 1);  // a power of two rounds nothing
  TridiagonalMatrix matrix;
  for (const double value : diagonal) matrix.diagonal.push_back(value / scale);
  for (const double value : subdiagonal) {
    matrix.squared_subdiagonal.push_back(value / scale * (value / scale));
  }
  // No row's magnitudes sum to 3 (Gershgorin 1931).
  std::vector<double> eigenvalues = bisect_eigenvalues(matrix, -3, 3, count);
  for (double& value : eigenvalues) value *= scale;
  return eigenvalues;
}

std::vector<double> roots(std::span<const double> eigenvalues) {
  std::vector<double> result(eigenvalues.size());
  std::ranges::transform(eigenvalues, result.begin(),
                         [](double square) { return square > 0 ? std::sqrt(square) : 0; });
  return result;
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
  const Eigen::Index n = decomposition.diagonal.size();
  const double largest = std::max(decomposition.eigenvalues.front(), -decomposition.eigenvalues.back());
  const double smallest_pivot = std::max(epsilon * largest, std::numeric_limits<double>::min());
  std::mt19937 generator(1);  // any start that is not orthogonal to the vector will do; always the same
  std::uniform_real_distribution<double> uniform(-1, 1);
  Eigen::MatrixXd vectors(n, count);
  for (Eigen::Index i = 0; i < count; ++i) {
    const ShiftedFactors factors =
        factorize(decomposition.diagonal, decomposition.subdiagonal,
                  decomposition.eigenvalues[static_cast<std::size_t>(i)], smallest_pivot);
    vectors.col(i) = Eigen::VectorXd::NullaryExpr(n, [&] { return uniform(generator); });
    for (int step = 0; step < 3; ++step) {
      solve_in_place(factors, vectors.col(i));
      orthonormalize_last(vectors.leftCols(i + 1));
    }
  }
  return vectors;
}

}  // namespace moescope
