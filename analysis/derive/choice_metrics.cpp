#include "analysis/derive/choice_metrics.h"

#include <limits>
#include <vector>

#include "analysis/derive/metric_dataset.h"
#include "metrics/catalogue/catalogue.h"
#include "metrics/routing/router_saturation.h"

namespace moescope {
namespace {

/// A metric by pair (C, C, L), or with the last checkpoint (C, L). NaN where a forward pass is not finished.
struct ChoiceTable {
  const Metric& metric;
  bool by_pair = false;
  std::vector<double> values;

  ChoiceTable(const ForwardRecord& record, const Metric& of)
      : metric(of),
        by_pair(has_axis(of, "other_checkpoint")),
        values((by_pair ? record.checkpoints : 1) * record.checkpoints * record.moe_layers,
               std::numeric_limits<double>::quiet_NaN()) {}

  void set(const ForwardRecord& record, std::size_t a, std::size_t b, std::size_t layer,
           const ChoicePair& pair) {
    const std::size_t count = record.checkpoints;
    const auto cell = [&](std::size_t row) -> double& { return values[row * record.moe_layers + layer]; };
    if (!by_pair && b + 1 != count) return;
    const double value = std::get<OfChoices>(metric.computation).value(pair);
    if (!by_pair) {
      cell(a) = value;
    } else {
      cell(a * count + b) = cell(b * count + a) = value;
    }
  }
};

/// (C) of (T, K); empty where a forward pass is not finished.
std::vector<std::vector<std::uint16_t>> read_all_choices(const RunFile& run, const ForwardRecord& record,
                                                         std::size_t layer) {
  std::vector<std::vector<std::uint16_t>> choices(record.checkpoints);
  for (std::size_t c = 0; c < record.checkpoints; ++c) {
    if (record.finished[c]) choices[c] = read_choices(run, c, layer).experts;
  }
  return choices;
}

void compare_layer(const RunFile& run, const ForwardRecord& record, std::size_t layer,
                   std::vector<ChoiceTable>& tables) {
  const std::vector<std::vector<std::uint16_t>> choices = read_all_choices(run, record, layer);
  for (std::size_t a = 0; a < record.checkpoints; ++a) {
    for (std::size_t b = a; b < record.checkpoints; ++b) {
      if (!record.finished[a] || !record.finished[b]) continue;
      const std::vector<std::int64_t> overlaps = overlap_histogram(choices[a], choices[b], record.top_k);
      const ChoicePair pair{choices[a], choices[b], record.top_k, overlaps};
      for (ChoiceTable& table : tables) table.set(record, a, b, layer, pair);
    }
  }
}

}  // namespace

void write_choice_metrics(RunFile& run, const ForwardRecord& record) {
  const MetricSizes sizes = metric_sizes(run, record);
  std::vector<ChoiceTable> tables;
  for (const Metric* metric : metrics_of<OfChoices>()) {
    define_metric(run, *metric, sizes);
    tables.emplace_back(record, *metric);
  }
  for (std::size_t layer = 0; layer < record.moe_layers; ++layer) compare_layer(run, record, layer, tables);
  for (const ChoiceTable& table : tables) run.write<double>(metric_path(table.metric.name), table.values);
}

}  // namespace moescope
