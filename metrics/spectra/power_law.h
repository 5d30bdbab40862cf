#pragma once
/// The power law that the tail of a weight's eigenvalue density follows best: p(lambda) ~ lambda^-alpha for
/// lambda >= x_min (Martin and Mahoney 2021; the method of Clauset, Shalizi and Newman 2009).
///
/// The algorithm is that of WeightWatcher (WW_powerlaw.py, class WWFit, of commit d6fd015, 2025): eigenvalues
/// lambda = sigma², those up to 1e-5 left out; each of them but the largest is tried as x_min, with the n
/// eigenvalues from it on as the tail: alpha = 1 + n / sum ln(lambda / x_min). The Kolmogorov-Smirnov
/// distance is the largest |F(lambda_(j)) - j/n|, j = 0 … n-1, F = 1 - (lambda / x_min)^(1 - alpha): the
/// empirical distribution just below each eigenvalue, as there. The smallest distance wins; among equals the
/// smallest x_min, so the longest tail. Equal eigenvalues are tried one by one. Unlike there, a tail of equal
/// eigenvalues is no candidate: its alpha would be infinite. As there, tails of two are, the threshold is
/// absolute, and the fit is always the best of bad ones: judge it by ks_distance and tail_length.

#include <cstdint>
#include <limits>
#include <span>

namespace moescope {

inline constexpr double smallest_fitted_eigenvalue = 1e-5;  // exclusive

struct PowerLawFit {
  double alpha = std::numeric_limits<double>::quiet_NaN();           // > 1
  double ks_distance = std::numeric_limits<double>::quiet_NaN();     // in [0, 1]
  double x_min = std::numeric_limits<double>::quiet_NaN();           // an eigenvalue
  double alpha_weighted = std::numeric_limits<double>::quiet_NaN();  // alpha log10 lambda_max
  std::int64_t tail_length = 0;                                      // n, x_min included
};

/// From singular values in any order. NaN and length 0 where fewer than two different eigenvalues are above
/// the threshold, or one is not finite. O(n²) at worst, a few milliseconds for 4,096. Pure and thread-safe.
PowerLawFit power_law_fit(std::span<const double> singular_values);

}  // namespace moescope
