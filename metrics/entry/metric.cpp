#include "metrics/entry/metric.h"

#include <algorithm>
#include <utility>

namespace moescope {

std::string metric_path(std::string_view name) {
  return "/metrics/" + std::string(name);
}

std::vector<Metric> joined(std::initializer_list<std::vector<Metric>> parts) {
  std::vector<Metric> all;
  for (const std::vector<Metric>& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

bool has_axis(const Metric& metric, std::string_view axis) {
  return std::ranges::find(metric.axes, axis) != metric.axes.end();
}

bool is_from_weights(const Metric& metric) {
  return std::holds_alternative<OfProducts>(metric.computation) || is_from_sketches(metric);
}

bool is_from_sketches(const Metric& metric) {
  return std::holds_alternative<OfSketches>(metric.computation);
}

std::string pooled_name(std::string_view name) {
  return std::string(name) + "_pooled";
}

Metric pooled(Metric by_domain, std::string long_name, std::string description) {
  by_domain.name = pooled_name(by_domain.name);
  by_domain.long_name = std::move(long_name);
  by_domain.description = std::move(description);
  std::erase(by_domain.axes, "domain");
  by_domain.figures.clear();
  by_domain.summary.reset();
  return by_domain;
}

}  // namespace moescope
