#include "metrics/weights/trajectory_pca.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>

#include "metrics/statistics.h"

namespace moescope {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// W_c - mean(W) = sum_i a_ci D_i, shape (C, C-1): a step counts for the checkpoints behind it, less the
/// share of all checkpoints that are.
Matrix steps_from_mean(Eigen::Index checkpoints) {
  Matrix factors(checkpoints, checkpoints - 1);
  for (Eigen::Index i = 0; i + 1 < checkpoints; ++i) {
    const auto share = static_cast<double>(checkpoints - 1 - i) / static_cast<double>(checkpoints);
    for (Eigen::Index c = 0; c < checkpoints; ++c) factors(c, i) = (i < c ? 1 : 0) - share;
  }
  return factors;
}

/// Turns the coordinates along one component around when the documented rule says so.
void fix_sign(Eigen::Ref<Eigen::VectorXd> coordinates) {
  const double notable = 1e-9 * coordinates.norm();
  double direction = coordinates[coordinates.size() - 1] - coordinates[0];
  for (Eigen::Index c = 0; c < coordinates.size() && std::abs(direction) <= notable; ++c)
    direction = coordinates[c];
  if (direction < 0) coordinates = -coordinates;
}

/// <W_a - mean(W), W_b - mean(W)> from the products of all steps, (C, C).
Matrix gram_of_steps(const WeightInnerProducts& products) {
  const auto count = static_cast<Eigen::Index>(products.steps());
  const Matrix factors = steps_from_mean(count + 1);
  return factors * Eigen::Map<const Matrix>(products.delta_inner_product.data(), count, count) *
         factors.transpose();
}

/// The same of some checkpoints, from their distances (Torgerson 1952): -1/2 of their squares, less the means
/// of row and column.
Matrix gram_of_distances(const WeightInnerProducts& products, const std::vector<std::size_t>& chosen) {
  const std::vector<double> distance = distances(products);
  const auto count = static_cast<Eigen::Index>(chosen.size());
  Matrix gram(count, count);
  for (Eigen::Index a = 0; a < count; ++a) {
    for (Eigen::Index b = 0; b < count; ++b) {
      const double side = distance[chosen[static_cast<std::size_t>(a)] * products.checkpoints +
                                   chosen[static_cast<std::size_t>(b)]];
      gram(a, b) = -side * side / 2;
    }
  }
  const Eigen::VectorXd means = gram.rowwise().mean();
  gram = (gram.colwise() - means).rowwise() - means.transpose();
  gram.array() += means.mean();
  return gram;
}

/// The components of the checkpoints `chosen`, F of them, whose Gram matrix is finite.
void fill_components(const Matrix& gram, const std::vector<std::size_t>& chosen, TrajectoryPca& pca) {
  const auto count = static_cast<Eigen::Index>(chosen.size()) - 1;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);  // ascending
  const Eigen::VectorXd& ascending = solver.eigenvalues();
  const double rounding =
      static_cast<double>(count + 1) * std::numeric_limits<double>::epsilon() * ascending[count];
  Eigen::Map<Eigen::VectorXd> eigenvalues(pca.eigenvalues.data(), count);
  for (Eigen::Index k = 0; k < count; ++k) {
    const double value = ascending[count - k];
    eigenvalues[k] = value > rounding ? value : 0;
    Eigen::VectorXd along = std::sqrt(eigenvalues[k]) * solver.eigenvectors().col(count - k);
    fix_sign(along);
    for (std::size_t c = 0; c < chosen.size(); ++c)
      pca.coordinates[chosen[c] * pca.components + static_cast<std::size_t>(k)] =
          along[static_cast<Eigen::Index>(c)];
  }
  const double total = eigenvalues.sum();
  for (std::size_t k = 0; k + 1 < chosen.size(); ++k)
    pca.shares[k] = total > 0 ? pca.eigenvalues[k] / total : nan;
}

}  // namespace

TrajectoryPca trajectory_pca(const WeightInnerProducts& products) {
  const std::size_t steps = products.steps();
  TrajectoryPca pca = {steps, std::vector<double>(steps, nan), std::vector<double>(steps, nan),
                       std::vector<double>(products.checkpoints * steps, nan)};
  const bool steps_tell =
      std::ranges::all_of(products.delta_inner_product, [](double value) { return std::isfinite(value); });
  std::vector<std::size_t> chosen;
  for (std::size_t c = 0; c < products.checkpoints; ++c) {
    if (steps_tell || products.is_finite_at(c)) chosen.push_back(c);
  }
  if (chosen.size() < 2) return pca;
  const Matrix gram = steps_tell ? gram_of_steps(products) : gram_of_distances(products, chosen);
  if (gram.allFinite()) fill_components(gram, chosen, pca);
  return pca;
}

}  // namespace moescope
