#include "metrics/metric_info.h"

#include <stdexcept>

namespace moescope {

std::span<const MetricInfo> metric_catalogue() { return {}; }

const MetricInfo& metric_info(std::string_view name) {
  for (const MetricInfo& info : metric_catalogue()) {
    if (info.name == name) return info;
  }
  throw std::out_of_range("no metric is called '" + std::string(name) + "'");
}

}  // namespace moescope
