#include "plots/findings/half_way.h"

#include <cmath>
#include <limits>

namespace moescope {

std::optional<std::size_t> half_way_step(const std::vector<double>& y, double chance) {
  const double target = chance + (1 - chance) / 2;
  if (y.empty() || !(y[0] < target)) return std::nullopt;
  for (std::size_t i = 1; i < y.size() && std::isfinite(y[i]); ++i) {
    if (y[i] >= target) return i;
  }
  return std::nullopt;
}

double half_way(const std::vector<double>& x, const std::vector<double>& y, double chance) {
  const std::optional<std::size_t> step = half_way_step(y, chance);
  if (!step) return std::numeric_limits<double>::quiet_NaN();
  const std::size_t i = *step;
  const double target = chance + (1 - chance) / 2;
  return x[i - 1] + (x[i] - x[i - 1]) * (target - y[i - 1]) / (y[i] - y[i - 1]);
}

}  // namespace moescope
