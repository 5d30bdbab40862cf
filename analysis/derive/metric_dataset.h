#pragma once
/// /metrics/NAME: one dataset per metric of the catalogue, with what its entry says as attributes.

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/record/forward_record.h"
#include "metrics/entry/metric.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// What bounds and chance levels follow from, without which values cannot be compared between models.
struct MetricSizes {
  RoutingSizes routing;
  std::vector<std::int64_t> domain_tokens;  // (D)
};
MetricSizes metric_sizes(const RunFile& run, const ForwardRecord& record);

/// Defines the dataset of a metric unless it is there already (its values are then replaced, its attributes
/// renewed), and returns its path. Its dimensions must be defined. A metric without routing needs no sizes.
std::string define_metric(RunFile& run, const Metric& metric, const MetricSizes& sizes = {});

/// Where the values of one checkpoint stand.
Slab checkpoint_slab(const RunFile& run, const Metric& metric, std::uint64_t checkpoint);

/// The tokens over which a metric is taken: of each domain, or of all together. Ascending.
std::vector<std::vector<std::size_t>> token_groups(const ForwardRecord& record, const Metric& metric);

}  // namespace moescope
