#include "metrics/spectra/power_law.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace moescope {
namespace {

/// Eigenvalues above the threshold, ascending.
std::vector<double> fitted_eigenvalues(std::span<const double> singular_values) {
  std::vector<double> eigenvalues;
  for (const double sigma : singular_values) {
    if (const double lambda = sigma * sigma; lambda > smallest_fitted_eigenvalue) {
      eigenvalues.push_back(lambda);
    }
  }
  std::sort(eigenvalues.begin(), eigenvalues.end());
  return eigenvalues;
}

/// A power law beside the tail that it was fitted to.
struct FittedTail {
  std::span<const double> logarithms;  // of the n eigenvalues, ascending
  double alpha = 0;

  double fitted(std::size_t j) const { return 1 - std::exp((1 - alpha) * (logarithms[j] - logarithms[0])); }
  double below(std::size_t j) const {  // share of the tail
    return static_cast<double>(j) / static_cast<double>(logarithms.size());
  }
};

/// The larger of `distance` and the largest one strictly between the points `first` and `last`, where the
/// fitted distribution is `low` and `high`. As both distributions rise, most of it need not be looked at.
double distance_between(const FittedTail& tail, std::size_t first, std::size_t last, double low, double high,
                        double distance) {
  if (last - first < 2) return distance;
  if (std::max(high - tail.below(first + 1), tail.below(last - 1) - low) <= distance) return distance;
  const std::size_t middle = first + (last - first) / 2;
  const double value = tail.fitted(middle);
  distance = std::max(distance, std::abs(value - tail.below(middle)));
  distance = distance_between(tail, first, middle, low, value, distance);
  return distance_between(tail, middle, last, value, high, distance);
}

double ks_distance(const FittedTail& tail) {  // the distance at the first point is 0
  const std::size_t last = tail.logarithms.size() - 1;
  const double value = tail.fitted(last);
  return distance_between(tail, 0, last, 0, value, std::abs(value - tail.below(last)));
}

}  // namespace

PowerLawFit power_law_fit(std::span<const double> singular_values) {
  PowerLawFit best;
  const bool finite = std::all_of(singular_values.begin(), singular_values.end(),
                                  [](double sigma) { return std::isfinite(sigma * sigma); });
  const std::vector<double> eigenvalues = fitted_eigenvalues(singular_values);
  if (!finite || eigenvalues.empty()) return best;
  std::vector<double> logarithms(eigenvalues.size());
  std::transform(eigenvalues.begin(), eigenvalues.end(), logarithms.begin(),
                 [](double lambda) { return std::log(lambda); });
  double log_ratios = 0;  // sum of ln(lambda / x_min) over the tail, of terms that are not negative
  for (std::size_t i = eigenvalues.size() - 1; i-- > 0;) {
    const std::size_t length = eigenvalues.size() - i;
    log_ratios += static_cast<double>(length - 1) * (logarithms[i + 1] - logarithms[i]);
    if (log_ratios == 0) continue;
    const double alpha = 1 + static_cast<double>(length) / log_ratios;
    const double distance = ks_distance({std::span(logarithms).subspan(i), alpha});
    if (best.tail_length > 0 && distance > best.ks_distance) continue;
    best = {alpha, distance, eigenvalues[i], alpha * std::log10(eigenvalues.back()),
            static_cast<std::int64_t>(length)};
  }
  return best;
}

}  // namespace moescope
