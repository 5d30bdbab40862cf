#include "metrics/throughput/overlap_efficiency.h"

#include <algorithm>
#include <limits>

namespace moescope {

double overlap_efficiency(double read_seconds, double compute_seconds, double wall_seconds) {
  if (!(wall_seconds > 0)) return std::numeric_limits<double>::quiet_NaN();
  return std::max(read_seconds, compute_seconds) / wall_seconds;
}

}  // namespace moescope
