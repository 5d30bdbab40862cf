#include "metrics/loss/language_loss.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "metrics/statistics.h"

namespace moescope {

double LanguageLoss::mean() const {
  return tokens > 0 && nonfinite == 0 ? total / static_cast<double>(tokens)
                                      : std::numeric_limits<double>::quiet_NaN();
}

LanguageLoss language_loss(std::span<const double> nll) {
  CompensatedSum total;
  LanguageLoss loss;
  for (const double value : nll) {
    ++loss.tokens;
    if (std::isfinite(value)) {
      total.add(value);
    } else {
      ++loss.nonfinite;
    }
  }
  loss.total = total.value();
  return loss;
}

double perplexity(double mean_loss) {
  return std::exp(mean_loss);
}

double bits_per_byte(double total_nll, std::int64_t bytes) {
  if (bytes <= 0) return std::numeric_limits<double>::quiet_NaN();
  return total_nll / (static_cast<double>(bytes) * std::numbers::ln2);
}

}  // namespace moescope
