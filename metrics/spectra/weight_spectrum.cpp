#include "metrics/spectra/weight_spectrum.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "metrics/statistics.h"

namespace moescope {
namespace {

constexpr double tracy_widom_99 =
    2.0234;  // order 1: Bejan 2005; agrees with the integrated Painleve II equation

bool all_known(std::span<const double> values) {
  return std::none_of(values.begin(), values.end(), [](double value) { return std::isnan(value); });
}

template <class Term>
double sum_of(std::span<const double> values, Term term) {
  CompensatedSum total;
  for (const double value : values) total.add(term(value));
  return total.value();
}

}  // namespace

WeightSpectrum weight_spectrum(std::span<const double> singular_values) {
  if (singular_values.empty() || !all_known(singular_values)) return {nan, nan, nan, nan};
  const double largest = *std::max_element(singular_values.begin(), singular_values.end());
  if (largest == 0 || !std::isfinite(largest)) return {largest, nan, nan, nan};
  // Relative to the largest, so that no power of them overflows or vanishes.
  std::vector<double> relative(singular_values.begin(), singular_values.end());
  for (double& value : relative) value /= largest;
  const double sum = sum_of(relative, [](double x) { return x; });
  const double squares = sum_of(relative, [](double x) { return x * x; });
  const double fourth_powers = sum_of(relative, [](double x) { return x * x * x * x; });
  // -sum q ln q = ln S - (sum x ln x) / S for q = x / S
  const double x_ln_x = sum_of(relative, [](double x) { return x > 0 ? x * std::log(x) : 0; });
  return {largest, squares, sum * std::exp(-x_ln_x / sum), squares * squares / fourth_powers};
}

NoiseEdge marchenko_pastur_edge(std::size_t rows, std::size_t columns, double standard_deviation) {
  if (rows == 0 || columns == 0 || !(standard_deviation >= 0) || std::isinf(standard_deviation)) {
    return {nan, nan};
  }
  const auto m = static_cast<double>(rows), n = static_cast<double>(columns);
  const double a = std::sqrt(m - 0.5), b = std::sqrt(n - 0.5);  // exact to the second order
  // Of the largest eigenvalue, in units of s²: where it lies, and how widely it is spread.
  const double centre = (a + b) * (a + b), width = (a + b) * std::cbrt(1 / a + 1 / b);
  return {standard_deviation * (std::sqrt(m) + std::sqrt(n)),
          standard_deviation * std::sqrt(centre + tracy_widom_99 * width)};
}

double spike_count(std::span<const double> singular_values, const NoiseEdge& noise) {
  if (std::isnan(noise.spike_threshold) || !all_known(singular_values)) return nan;
  return static_cast<double>(std::count_if(singular_values.begin(), singular_values.end(),
                                           [&](double value) { return value > noise.spike_threshold; }));
}

}  // namespace moescope
