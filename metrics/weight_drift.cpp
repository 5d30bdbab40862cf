#include "metrics/weight_drift.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace moescope {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Rounding may leave a square a little below 0; NaN stays NaN.
double root(double square) {
  return square < 0 ? 0 : std::sqrt(square);
}

void add_to(std::vector<double>& sums, std::span<const double> terms) {
  assert(sums.size() == terms.size());
  std::transform(sums.begin(), sums.end(), terms.begin(), sums.begin(),
                 [](double a, double b) { return a + b; });
}

double cosine_of(double inner, double norm_a, double norm_b) {
  if (norm_a == 0 || norm_b == 0) return nan;
  const double cosine = inner / norm_a / norm_b;
  return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;  // not std::clamp: NaN stays NaN, as documented
}

}  // namespace

WeightInnerProducts WeightInnerProducts::zero(std::size_t checkpoints) {
  const std::size_t steps = checkpoints > 0 ? checkpoints - 1 : 0;
  return {checkpoints, std::vector<double>(checkpoints * checkpoints), std::vector<double>(steps * steps)};
}

void WeightInnerProducts::add(std::span<const double> inner, std::span<const double> delta_inner) {
  add_to(inner_product, inner);
  add_to(delta_inner_product, delta_inner);
}

std::vector<double> weight_norms(const WeightInnerProducts& products) {
  std::vector<double> norms;
  for (std::size_t i = 0; i < products.checkpoints; ++i) {
    norms.push_back(root(products.inner_product[i * products.checkpoints + i]));
  }
  return norms;
}

std::vector<double> distances(const WeightInnerProducts& products) {
  const std::size_t count = products.checkpoints;
  std::vector<double> distance(count * count);
  std::vector<double> square(count);  // of norm(W_t - W_s), by s
  for (std::size_t t = 1; t < count; ++t) {
    // |W_t - W_s|² = |W_(t-1) - W_s|² + 2 <D_(t-1), W_(t-1) - W_s> + |D_(t-1)|²; the middle grows as s falls.
    const double* row = &products.delta_inner_product[(t - 1) * (count - 1)];
    double with_path = 0;
    for (std::size_t s = t; s-- > 0;) {
      if (s + 1 < t) with_path += row[s];
      square[s] += 2 * with_path + row[t - 1];
      distance[s * count + t] = distance[t * count + s] = root(square[s]);
    }
  }
  return distance;
}

std::vector<double> relative_drift(const WeightInnerProducts& products) {
  const std::size_t count = products.checkpoints;
  const std::vector<double> norms = weight_norms(products);
  std::vector<double> drift = distances(products);
  for (std::size_t s = 0; s < count; ++s) {
    for (std::size_t t = 0; t < count; ++t) {
      drift[s * count + t] = norms[s] == 0 ? nan : drift[s * count + t] / norms[s];
    }
  }
  return drift;
}

std::vector<double> weight_cosine(const WeightInnerProducts& products) {
  const std::size_t count = products.checkpoints;
  const std::vector<double> norms = weight_norms(products);
  std::vector<double> cosine(count * count);
  for (std::size_t s = 0; s < count; ++s) {
    for (std::size_t t = 0; t < count; ++t) {
      cosine[s * count + t] = cosine_of(products.inner_product[s * count + t], norms[s], norms[t]);
    }
    if (norms[s] > 0 && std::isfinite(norms[s])) cosine[s * count + s] = 1;
  }
  return cosine;
}

}  // namespace moescope
