#include "analysis/derive/metric_dataset.h"

#include <algorithm>
#include <numeric>

#include "readers/errors.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

/// By domain where it depends on the number of tokens, of which pooled metrics have all.
void set_chance(RunFile& run, const Metric& metric, const MetricSizes& sizes) {
  const std::string path = metric_path(metric.name);
  const auto chance = [&](std::int64_t tokens) { return metric.chance.at(sizes.routing, tokens); };
  const std::vector<std::int64_t>& tokens = sizes.domain_tokens;
  if (!metric.chance.depends_on_tokens() || !has_axis(metric, "domain")) {
    run.set_attribute(path, "chance", chance(std::accumulate(tokens.begin(), tokens.end(), std::int64_t{0})));
    return;
  }
  std::vector<double> by_domain;
  for (const std::int64_t count : tokens) by_domain.push_back(chance(count));
  run.set_attribute(path, "chance_by_domain", by_domain);
}

std::string missing(const Metric& metric, const MetricSizes& sizes) {
  const char* undefined = metric.undefined != nullptr ? metric.undefined(sizes.routing) : nullptr;
  return undefined != nullptr ? undefined : metric.missing;
}

}  // namespace

MetricSizes metric_sizes(const RunFile& run, const ForwardRecord& record) {
  return {{.experts = static_cast<std::int64_t>(record.experts),
           .top_k = static_cast<std::int64_t>(record.top_k),
           .eligible = static_cast<std::int64_t>(record.eligible)},
          run.read(dataset::routing_token_count)};
}

std::string define_metric(RunFile& run, const Metric& metric, const MetricSizes& sizes) {
  const std::string path = metric_path(metric.name);
  if (!run.contains(path)) {
    run.define({path, ElementType::f8, metric.axes, metric.unit, metric.long_name, metric.description,
                metric.source});
  } else if (const DatasetSpec found = run.describe(path);
             found.type != ElementType::f8 || found.dimensions != metric.axes) {
    throw FormatError(run.path().string(), path, "has another type or other dimensions than this metric has");
  }
  run.set_attribute(path, "formula", metric.formula);
  run.set_attribute(path, "missing", missing(metric, sizes));
  if (metric.chance.exists()) set_chance(run, metric, sizes);
  if (metric.lower_bound.exists())
    run.set_attribute(path, "lower_bound", metric.lower_bound.at(sizes.routing));
  if (metric.upper_bound.exists())
    run.set_attribute(path, "upper_bound", metric.upper_bound.at(sizes.routing));
  return path;
}

Slab checkpoint_slab(const RunFile& run, const Metric& metric, std::uint64_t checkpoint) {
  Slab slab{std::vector<std::uint64_t>(metric.axes.size()), run.shape(metric_path(metric.name))};
  const auto axis = std::ranges::find(metric.axes, "checkpoint") - metric.axes.begin();
  slab.start[static_cast<std::size_t>(axis)] = checkpoint;
  slab.count[static_cast<std::size_t>(axis)] = 1;
  return slab;
}

std::vector<std::vector<std::size_t>> token_groups(const ForwardRecord& record, const Metric& metric) {
  if (has_axis(metric, "domain")) return record.domain_tokens;
  std::vector<std::size_t> all(record.tokens);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return {all};
}

}  // namespace moescope
