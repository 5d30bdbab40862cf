#pragma once
/// Inner products of small weights, straight from their definition.

#include <cstddef>
#include <random>
#include <vector>

#include "metrics/weights/weight_drift.h"

namespace moescope {

using Tensor = std::vector<double>;

inline double inner(const Tensor& a, const Tensor& b) {
  long double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<long double>(a[i]) * b[i];
  return static_cast<double>(sum);
}

inline Tensor difference(const Tensor& a, const Tensor& b) {
  Tensor result(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) result[i] = a[i] - b[i];
  return result;
}

/// Every product of a weight whose `versions` are its values at each checkpoint.
inline WeightInnerProducts products_of(const std::vector<Tensor>& versions) {
  WeightInnerProducts products{versions.size(), {}, {}};
  for (const Tensor& a : versions) {
    for (const Tensor& b : versions) products.inner_product.push_back(inner(a, b));
  }
  std::vector<Tensor> deltas;
  for (std::size_t i = 1; i < versions.size(); ++i)
    deltas.push_back(difference(versions[i], versions[i - 1]));
  for (const Tensor& a : deltas) {
    for (const Tensor& b : deltas) products.delta_inner_product.push_back(inner(a, b));
  }
  return products;
}

/// A random walk: each version is the one before plus noise of relative size `step`.
inline std::vector<Tensor> random_walk(std::size_t count, std::size_t size, double step, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<Tensor> versions(1, Tensor(size));
  for (double& value : versions[0]) value = normal(generator);
  while (versions.size() < count) {
    versions.push_back(versions.back());
    for (double& value : versions.back()) value += step * normal(generator);
  }
  return versions;
}

}  // namespace moescope
