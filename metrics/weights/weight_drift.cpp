#include "metrics/weights/weight_drift.h"

#include <Eigen/Core>
#include <algorithm>
#include <cassert>
#include <cmath>

#include "metrics/statistics.h"

namespace moescope {
namespace {

using SquareMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A (C, C) array of numbers as a matrix, without a copy.
auto as_matrix(std::vector<double>& values, std::size_t count) {
  const auto size = static_cast<Eigen::Index>(count);
  return Eigen::Map<SquareMatrix>(values.data(), size, size);
}
auto as_matrix(const std::vector<double>& values, std::size_t count) {
  const auto size = static_cast<Eigen::Index>(count);
  return Eigen::Map<const SquareMatrix>(values.data(), size, size);
}

/// Rounding may leave a square a little below 0; NaN stays NaN.
double root(double square) {
  return square < 0 ? 0 : std::sqrt(square);
}

/// norm(W_i), and NaN for a zero norm: what is divided by it does not exist.
Eigen::ArrayXd divisors(const WeightInnerProducts& products) {
  return as_matrix(products.inner_product, products.checkpoints).diagonal().unaryExpr([](double square) {
    return square == 0 ? nan : root(square);
  });
}

void add_to(std::vector<double>& sums, std::span<const double> terms) {
  assert(sums.size() == terms.size());
  std::transform(sums.begin(), sums.end(), terms.begin(), sums.begin(),
                 [](double a, double b) { return a + b; });
}

}  // namespace

WeightInnerProducts WeightInnerProducts::zero(std::size_t checkpoints) {
  WeightInnerProducts products{checkpoints, std::vector<double>(checkpoints * checkpoints), {}};
  products.delta_inner_product.resize(products.steps() * products.steps());
  return products;
}

bool WeightInnerProducts::is_finite_at(std::size_t checkpoint) const {
  return std::isfinite(inner_product[checkpoint * (checkpoints + 1)]);
}

void WeightInnerProducts::add(std::span<const double> inner, std::span<const double> delta_inner) {
  add_to(inner_product, inner);
  add_to(delta_inner_product, delta_inner);
}

void WeightInnerProducts::add(const WeightInnerProducts& other) {
  add(other.inner_product, other.delta_inner_product);
  squared_distance.resize(inner_product.size());
  if (other.squared_distance.empty()) {
    add_to(squared_distance, squares_of_steps(other));
  } else {
    add_to(squared_distance, other.squared_distance);
  }
}

std::vector<double> weight_norms(const WeightInnerProducts& products) {
  std::vector<double> norms(products.checkpoints);
  const auto squares = as_matrix(products.inner_product, products.checkpoints).diagonal();
  std::transform(squares.begin(), squares.end(), norms.begin(), root);
  return norms;
}

std::vector<double> squares_of_steps(const WeightInnerProducts& products) {
  const std::size_t count = products.checkpoints;
  std::vector<double> squares(count * count);
  std::vector<double> square(count);  // of norm(W_t - W_s), by s
  for (std::size_t t = 1; t < count; ++t) {
    // |W_t - W_s|² = |W_(t-1) - W_s|² + 2 <D_(t-1), W_(t-1) - W_s> + |D_(t-1)|²; the middle grows as s falls.
    const double* row = &products.delta_inner_product[(t - 1) * (count - 1)];
    double with_path = 0;
    for (std::size_t s = t; s-- > 0;) {
      if (s + 1 < t) with_path += row[s];
      square[s] += 2 * with_path + row[t - 1];
      squares[s * count + t] = squares[t * count + s] = square[s];
    }
  }
  return squares;
}

std::vector<double> distances(const WeightInnerProducts& products) {
  std::vector<double> distance = squares_of_steps(products);
  for (std::size_t i = 0; i < distance.size(); ++i) {
    const bool steps_tell = std::isfinite(distance[i]) || products.squared_distance.empty();
    distance[i] = root(steps_tell ? distance[i] : products.squared_distance[i]);
  }
  for (std::size_t c = 0; c < products.checkpoints; ++c) {
    if (!products.is_finite_at(c)) distance[c * (products.checkpoints + 1)] = nan;
  }
  return distance;
}

std::vector<double> relative_drift(const WeightInnerProducts& products) {
  std::vector<double> drift = distances(products);
  as_matrix(drift, products.checkpoints).array().colwise() /= divisors(products);
  return drift;
}

std::vector<double> weight_cosine(const WeightInnerProducts& products) {
  std::vector<double> result(products.checkpoints * products.checkpoints);
  auto cosine = as_matrix(result, products.checkpoints);
  const Eigen::ArrayXd norm = divisors(products);
  cosine = as_matrix(products.inner_product, products.checkpoints);
  cosine.array().colwise() /= norm;
  cosine.array().rowwise() /= norm.transpose();
  // Rounding must not lead out of [-1, 1]; not std::clamp: NaN stays NaN, as documented.
  cosine = cosine.unaryExpr([](double x) { return x > 1 ? 1 : x < -1 ? -1 : x; });
  cosine.diagonal() = norm.unaryExpr([](double n) { return std::isfinite(n) ? 1.0 : nan; });
  return result;
}

}  // namespace moescope
