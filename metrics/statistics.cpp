#include "metrics/statistics.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <utility>

namespace moescope {
namespace {

/// The order statistic of this rank, from 0. Reorders the values.
double order_statistic(std::vector<double>& values, std::size_t rank) {
  const auto position = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), position, values.end());
  return *position;
}

double quantile(std::vector<double>& values, double probability) {
  const double position = probability * static_cast<double>(values.size() - 1);
  const auto rank = static_cast<std::size_t>(std::floor(position));
  const double fraction = position - static_cast<double>(rank);
  const double below = order_statistic(values, rank);
  if (fraction == 0) return below;  // an infinite neighbour must not turn into 0 * inf
  const auto above = std::min_element(values.begin() + static_cast<std::ptrdiff_t>(rank) + 1, values.end());
  return std::lerp(below, *above, fraction);
}

}  // namespace

double CompensatedSum::value() const {
  return std::isfinite(sum_) ? sum_ + compensation_ : sum_;  // inf - inf in the compensation says nothing
}

double sum(std::span<const double> values) {
  CompensatedSum total;
  for (const double value : values) total.add(value);
  return total.value();
}

double mean(std::span<const double> values) {
  return values.empty() ? nan : sum(values) / static_cast<double>(values.size());
}

double log_binomial(double n, double k) {
  return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
}

std::vector<double> quantiles(std::vector<double> values, std::span<const double> probabilities) {
  const bool has_nan =
      std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); });
  if (values.empty() || has_nan) return std::vector<double>(probabilities.size(), nan);
  std::vector<double> result;
  for (const double probability : probabilities) {
    assert(probability >= 0 && probability <= 1);
    result.push_back(quantile(values, probability));
  }
  return result;
}

double median(std::vector<double> values) {
  return quantiles(std::move(values), std::array{0.5}).front();
}

}  // namespace moescope
