#include "metrics/trajectory_pca.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>

namespace moescope {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

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

}  // namespace

TrajectoryPca trajectory_pca(const WeightInnerProducts& products) {
  const std::size_t steps = products.steps();
  TrajectoryPca pca = {steps, std::vector<double>(steps, nan), std::vector<double>(steps, nan),
                       std::vector<double>(products.checkpoints * steps, nan)};
  const auto finite = [](double value) { return std::isfinite(value); };
  if (steps == 0 ||
      !std::all_of(products.delta_inner_product.begin(), products.delta_inner_product.end(), finite))
    return pca;

  const auto count = static_cast<Eigen::Index>(steps);
  const Matrix factors = steps_from_mean(count + 1);
  const Matrix gram = factors * Eigen::Map<const Matrix>(products.delta_inner_product.data(), count, count) *
                      factors.transpose();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);  // ascending
  const Eigen::VectorXd& ascending = solver.eigenvalues();
  const double rounding =
      static_cast<double>(count + 1) * std::numeric_limits<double>::epsilon() * ascending[count];
  Eigen::Map<Eigen::VectorXd> eigenvalues(pca.eigenvalues.data(), count);
  Eigen::Map<Matrix> coordinates(pca.coordinates.data(), count + 1, count);
  for (Eigen::Index k = 0; k < count; ++k) {
    const double value = ascending[count - k];
    eigenvalues[k] = value > rounding ? value : 0;
    Eigen::VectorXd along = std::sqrt(eigenvalues[k]) * solver.eigenvectors().col(count - k);
    fix_sign(along);
    coordinates.col(k) = along;
  }
  const double total = eigenvalues.sum();
  for (std::size_t k = 0; k < steps; ++k) pca.shares[k] = total > 0 ? pca.eigenvalues[k] / total : nan;
  return pca;
}

}  // namespace moescope
