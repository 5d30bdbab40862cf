#include "metrics/statistics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace moescope {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double sorted_quantile(std::span<const double> sorted, double probability) {
  const double position = probability * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(position));
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double fraction = position - static_cast<double>(below);
  if (fraction == 0) return sorted[below];  // an infinite neighbour must not turn into 0 * inf
  return std::lerp(sorted[below], sorted[above], fraction);
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

std::vector<double> quantiles(std::vector<double> values, std::span<const double> probabilities) {
  const bool has_nan =
      std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); });
  if (values.empty() || has_nan) return std::vector<double>(probabilities.size(), nan);
  std::sort(values.begin(), values.end());
  std::vector<double> result;
  for (const double probability : probabilities) {
    assert(probability >= 0 && probability <= 1);
    result.push_back(sorted_quantile(values, probability));
  }
  return result;
}

}  // namespace moescope
