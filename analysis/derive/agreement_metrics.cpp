#include "analysis/derive/agreement_metrics.h"

#include <limits>

#include "analysis/derive/metric_dataset.h"
#include "metrics/routing/router_saturation.h"

namespace moescope {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr const char* missing_saturation =
    "NaN where the forward pass of the checkpoint or that of the last one is not finished, or no token chose "
    "experts in both (/routing/nonfinite_count).";
constexpr const char* missing_agreement =
    "NaN where the forward pass of either checkpoint is not finished, or no token chose experts in both "
    "(/routing/nonfinite_count).";

/// What is written; NaN where a forward pass is not finished.
struct Agreement {
  std::vector<double> agreement, jaccard;           // (C, C, L), symmetric in the checkpoints
  std::vector<double> saturation, saturation_top1;  // (C, L)

  explicit Agreement(const ForwardRecord& record)
      : agreement(record.checkpoints * record.checkpoints * record.moe_layers, nan),
        jaccard(agreement.size(), nan),
        saturation(record.checkpoints * record.moe_layers, nan),
        saturation_top1(saturation.size(), nan) {}
};

/// (C) of (T, K); empty where a forward pass is not finished.
std::vector<std::vector<std::uint16_t>> read_all_choices(const RunFile& run, const ForwardRecord& record,
                                                         std::size_t layer) {
  std::vector<std::vector<std::uint16_t>> choices(record.checkpoints);
  for (std::size_t c = 0; c < record.checkpoints; ++c) {
    if (!record.finished[c]) continue;
    choices[c] = read_choices(run, c, layer).experts;
  }
  return choices;
}

void compare_layer(const RunFile& run, const ForwardRecord& record, std::size_t layer, Agreement& result) {
  const std::size_t count = record.checkpoints, last = count - 1;
  const std::vector<std::vector<std::uint16_t>> choices = read_all_choices(run, record, layer);
  const auto cell = [&](std::size_t row) { return row * record.moe_layers + layer; };
  for (std::size_t a = 0; a < count; ++a) {
    for (std::size_t b = a; b < count; ++b) {
      if (!record.finished[a] || !record.finished[b]) continue;
      const std::vector<std::int64_t> histogram = overlap_histogram(choices[a], choices[b], record.top_k);
      const std::size_t there = cell(a * count + b), back = cell(b * count + a);
      result.agreement[there] = result.agreement[back] = mean_agreement(histogram);
      result.jaccard[there] = result.jaccard[back] = mean_jaccard(histogram);
    }
    if (!record.finished[a] || !record.finished[last]) continue;
    result.saturation[cell(a)] = result.agreement[cell(a * count + last)];
    result.saturation_top1[cell(a)] = top1_agreement(choices[a], choices[last], record.top_k);
  }
}

void define_agreement(RunFile& run, const ForwardRecord& record) {
  const auto experts = static_cast<std::int64_t>(record.experts),
             top_k = static_cast<std::int64_t>(record.top_k);
  const auto bounds = [](double chance, double least) {
    return MetricBounds{{"chance", chance}, {"lower_bound", least}, {"upper_bound", 1.0}};
  };
  const MetricBounds agreement =
      bounds(routing_agreement_chance(experts, top_k), routing_agreement_bound(experts, top_k));
  const MetricBounds top1 = bounds(top1_agreement_chance(experts), experts > 1 ? 0 : 1);
  const MetricBounds jaccard =
      bounds(routing_jaccard_chance(experts, top_k), routing_jaccard_bound(experts, top_k));
  define_metric(run, "router_saturation", agreement, missing_saturation);
  define_metric(run, "router_saturation_top1", top1, missing_saturation);
  define_metric(run, "routing_agreement", agreement, missing_agreement);
  define_metric(run, "routing_jaccard", jaccard, missing_agreement);
}

}  // namespace

void write_agreement_metrics(RunFile& run, const ForwardRecord& record) {
  define_agreement(run, record);
  Agreement result(record);
  for (std::size_t layer = 0; layer < record.moe_layers; ++layer) compare_layer(run, record, layer, result);
  run.write<double>("/metrics/routing_agreement", result.agreement);
  run.write<double>("/metrics/routing_jaccard", result.jaccard);
  run.write<double>("/metrics/router_saturation", result.saturation);
  run.write<double>("/metrics/router_saturation_top1", result.saturation_top1);
}

}  // namespace moescope
