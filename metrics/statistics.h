#pragma once
/// Sums, means and quantiles that do not depend on luck: the same values in the same order give the same
/// bytes. All functions are pure and thread-safe. NaN goes in, NaN comes out: nothing is left out silently.

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace moescope {

/// A value that does not exist.
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A sum with a running compensation (Neumaier 1974): the error does not grow with the number of terms.
class CompensatedSum {
 public:
  void add(double term) {
    const double total = sum_ + term;
    compensation_ += std::abs(sum_) >= std::abs(term) ? (sum_ - total) + term : (term - total) + sum_;
    sum_ = total;
  }
  /// Infinity and NaN stay what they are.
  double value() const;

 private:
  double sum_ = 0;
  double compensation_ = 0;
};

/// Compensated sum; 0 of nothing.
double sum(std::span<const double> values);

/// Arithmetic mean; NaN of nothing.
double mean(std::span<const double> values);

/// ln of the binomial coefficient of n and k, 0 <= k <= n.
double log_binomial(double n, double k);

/// Quantiles by linear interpolation between order statistics (type 7 of Hyndman and Fan 1996, numpy's
/// default); each of `probabilities` lies in [0, 1]. NaN of nothing, and all NaN when a value is NaN. Sorts a
/// copy: shape (probabilities.size()).
std::vector<double> quantiles(std::vector<double> values, std::span<const double> probabilities);

/// The quantile 0.5.
double median(std::vector<double> values);

}  // namespace moescope
