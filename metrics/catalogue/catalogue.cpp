#include "metrics/catalogue/catalogue.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <string>

#include "metrics/loss/loss_metrics.h"
#include "metrics/routing/agreement_metrics.h"
#include "metrics/routing/load_metrics.h"
#include "metrics/routing/router_metrics.h"
#include "metrics/weights/drift_metrics.h"
#include "metrics/weights/sketched_drift_metrics.h"

namespace moescope {
namespace {

/// By subject, in the order of presentation.
constexpr std::vector<Metric> (*subjects[])() = {
    load_metrics, router_metrics, agreement_metrics, loss_metrics, drift_metrics, sketched_drift_metrics,
};

std::vector<Metric> all_metrics() {
  std::vector<Metric> all;
  for (const auto metrics_of_subject : subjects)
    std::ranges::move(metrics_of_subject(), std::back_inserter(all));
  return all;
}

}  // namespace

std::span<const Metric> metric_catalogue() {
  static const std::vector<Metric> catalogue = all_metrics();
  return catalogue;
}

const Metric* find_metric(std::string_view name) {
  const std::span<const Metric> all = metric_catalogue();
  const auto found = std::ranges::find(all, name, &Metric::name);
  return found == all.end() ? nullptr : &*found;
}

const Metric& metric_named(std::string_view name) {
  if (const Metric* found = find_metric(name)) return *found;
  throw std::out_of_range("no metric is called '" + std::string(name) + "'");
}

}  // namespace moescope
