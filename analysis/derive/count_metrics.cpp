#include "analysis/derive/count_metrics.h"

#include <span>
#include <vector>

#include "analysis/derive/metric_dataset.h"
#include "metrics/catalogue/catalogue.h"
#include "metrics/routing/expert_load.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

/// The counts of one checkpoint, of G domains, or of all of them together.
struct CheckpointCounts {
  RoutingSizes sizes;
  std::vector<std::int64_t> counts;  // (G, L, E)
  std::vector<std::int64_t> tokens;  // (G, L) that chose experts

  ExpertCounts of(std::size_t row) const {
    const auto experts = static_cast<std::size_t>(sizes.experts);
    return ExpertCounts(counts).subspan(row * experts, experts);
  }
};

CheckpointCounts read_counts(const RunFile& run, const ForwardRecord& record, const RoutingSizes& sizes,
                             std::size_t checkpoint) {
  const Slab all{{checkpoint, 0, 0, 0}, {1, record.domains, record.moe_layers, record.experts}};
  return {sizes, run.read(dataset::routing_expert_count, all), choosing_tokens(run, record, checkpoint)};
}

std::vector<double> values_of(const Metric& metric, const CheckpointCounts& counts) {
  std::vector<double> values;
  for (std::size_t row = 0; row < counts.tokens.size(); ++row) {
    const RoutingSizes& sizes = counts.sizes;
    const std::int64_t tokens = counts.tokens[row];
    if (const auto* of_layer = std::get_if<OfCounts>(&metric.computation)) {
      values.push_back(of_layer->value(counts.of(row)));
    } else if (const auto* of_expert = std::get_if<OfExpertCounts>(&metric.computation)) {
      const std::vector<double> of_row = of_expert->values(counts.of(row), tokens);
      values.insert(values.end(), of_row.begin(), of_row.end());
    } else {
      values.push_back(std::get<OfTokenCount>(metric.computation).value(sizes.experts, sizes.top_k, tokens));
    }
  }
  return values;
}

}  // namespace

void write_count_metrics(RunFile& run, const ForwardRecord& record) {
  const MetricSizes sizes = metric_sizes(run, record);
  const std::vector<const Metric*> metrics = metrics_of<OfCounts, OfExpertCounts, OfTokenCount>();
  for (const Metric* metric : metrics) define_metric(run, *metric, sizes);
  for (std::size_t c = 0; c < record.checkpoints; ++c) {
    if (!record.finished[c]) continue;
    const CheckpointCounts by_domain = read_counts(run, record, sizes.routing, c);
    const CheckpointCounts pooled{sizes.routing, sum_over_domains(by_domain.counts, record.domains),
                                  sum_over_domains(by_domain.tokens, record.domains)};
    for (const Metric* metric : metrics) {
      run.write<double>(metric_path(metric->name), checkpoint_slab(run, *metric, c),
                        values_of(*metric, has_axis(*metric, "domain") ? by_domain : pooled));
    }
  }
}

}  // namespace moescope
