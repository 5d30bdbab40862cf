#include "analysis/agreement_metrics.h"

#include <limits>

#include "analysis/metric_dataset.h"
#include "metrics/router_saturation.h"

namespace moescope {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Agreements of all checkpoints in one layer.
struct LayerAgreement {
  std::vector<double> agreement, jaccard;  // (C, C), symmetric
  std::vector<double> top1_with_last;      // (C)
};

/// (C) of (T, K); empty where a forward pass is not finished.
std::vector<std::vector<std::uint16_t>> read_choices(const RunFile& run, const ForwardRecord& record,
                                                     std::size_t layer) {
  std::vector<std::vector<std::uint16_t>> choices(record.checkpoints);
  for (std::size_t c = 0; c < record.checkpoints; ++c) {
    if (!record.finished[c]) continue;
    choices[c] = run.read<std::uint16_t>("/routing/topk_index",
                                         {{c, layer, 0, 0}, {1, 1, record.tokens, record.top_k}});
  }
  return choices;
}

LayerAgreement agreement_of(const RunFile& run, const ForwardRecord& record, std::size_t layer) {
  const std::size_t count = record.checkpoints, last = count - 1;
  const std::vector<std::vector<std::uint16_t>> choices = read_choices(run, record, layer);
  LayerAgreement result{std::vector<double>(count * count, nan), std::vector<double>(count * count, nan),
                        std::vector<double>(count, nan)};
  for (std::size_t a = 0; a < count; ++a) {
    if (!record.finished[a]) continue;
    for (std::size_t b = a; b < count; ++b) {
      if (!record.finished[b]) continue;
      const std::vector<std::int64_t> histogram = overlap_histogram(choices[a], choices[b], record.top_k);
      result.agreement[a * count + b] = result.agreement[b * count + a] = mean_agreement(histogram);
      result.jaccard[a * count + b] = result.jaccard[b * count + a] = mean_jaccard(histogram);
    }
    if (record.finished[last])
      result.top1_with_last[a] = top1_agreement(choices[a], choices[last], record.top_k);
  }
  return result;
}

void define_agreement(RunFile& run, const ForwardRecord& record) {
  const auto experts = static_cast<std::int64_t>(record.experts),
             top_k = static_cast<std::int64_t>(record.top_k);
  const auto bounds = [](double chance) {
    return MetricBounds{{"chance", chance}, {"lower_bound", 0.0}, {"upper_bound", 1.0}};
  };
  const double agreement = routing_agreement_chance(experts, top_k);
  define_metric(run, "router_saturation", bounds(agreement), missing_forward);
  define_metric(run, "router_saturation_top1", bounds(top1_agreement_chance(experts)), missing_forward);
  define_metric(run, "routing_agreement", bounds(agreement), missing_forward);
  define_metric(run, "routing_jaccard", bounds(routing_jaccard_chance(experts, top_k)), missing_forward);
}

}  // namespace

void write_agreement_metrics(RunFile& run, const ForwardRecord& record) {
  define_agreement(run, record);
  const std::size_t count = record.checkpoints;
  for (std::size_t layer = 0; layer < record.moe_layers; ++layer) {
    const LayerAgreement result = agreement_of(run, record, layer);
    const Slab pairs{{0, 0, layer}, {count, count, 1}}, column{{0, layer}, {count, 1}};
    run.write<double>("/metrics/routing_agreement", pairs, result.agreement);
    run.write<double>("/metrics/routing_jaccard", pairs, result.jaccard);
    const auto with_last = std::span(result.agreement).last(count);  // the last row of a symmetric matrix
    run.write<double>("/metrics/router_saturation", column, with_last);
    run.write<double>("/metrics/router_saturation_top1", column, result.top1_with_last);
  }
}

}  // namespace moescope
