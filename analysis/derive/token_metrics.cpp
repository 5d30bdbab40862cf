#include "analysis/derive/token_metrics.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

#include "analysis/derive/metric_dataset.h"
#include "metrics/catalogue/catalogue.h"
#include "metrics/statistics.h"

namespace moescope {
namespace {

/// A metric of one checkpoint, layer after layer.
class TokenTable {
 public:
  TokenTable(const ForwardRecord& record, const Metric& metric)
      : metric_(metric),
        groups_(token_groups(record, metric)),
        layers_(record.moe_layers),
        levels_(has_axis(metric, "quantile") ? recorded_quantiles().size() : 1),
        values_(levels_ * groups_.size() * layers_) {}

  /// Of the recorded numbers (T) of one layer, and whether each token chose (T).
  void add_layer(std::size_t layer, const std::vector<double>& recorded, const std::vector<bool>& chooses) {
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      std::vector<std::size_t> tokens = groups_[group];
      std::erase_if(tokens, [&](std::size_t t) { return !chooses[t]; });
      const std::vector<double> numbers = statistics_of(of_tokens(recorded, tokens));
      for (std::size_t level = 0; level < levels_; ++level)
        values_[(level * groups_.size() + group) * layers_ + layer] = numbers[level];
    }
  }
  void write(RunFile& run, std::size_t checkpoint) const {
    run.write<double>(metric_path(metric_.name), checkpoint_slab(run, metric_, checkpoint), values_);
  }

 private:
  std::vector<double> statistics_of(std::vector<double> values) const {
    if (has_axis(metric_, "quantile")) return quantiles(std::move(values), recorded_quantiles());
    return {mean(values)};
  }

  const Metric& metric_;
  std::vector<std::vector<std::size_t>> groups_;  // (G)
  std::size_t layers_, levels_;
  std::vector<double> values_;  // (Q, G, L), or (G, L)
};

/// Whether each token chose experts in each layer of a checkpoint: (L) of (T).
std::vector<std::vector<bool>> choosing(const RunFile& run, const ForwardRecord& record,
                                        std::size_t checkpoint) {
  const std::vector<std::int64_t> counts = choosing_tokens(run, record, checkpoint);  // (D, L)
  std::vector<std::vector<bool>> chooses(record.moe_layers, std::vector<bool>(record.tokens, true));
  for (std::size_t layer = 0; layer < record.moe_layers; ++layer) {
    std::size_t all = 0;
    for (std::size_t d = 0; d < record.domains; ++d)
      all += static_cast<std::size_t>(counts[d * record.moe_layers + layer]);
    if (all == record.tokens) continue;
    const RecordedChoices choices = read_choices(run, checkpoint, layer);
    for (std::size_t t = 0; t < record.tokens; ++t) chooses[layer][t] = has_choice(choices.of(t));
  }
  return chooses;
}

/// Those of one dataset, which is read once.
void write_metrics_of(RunFile& run, const ForwardRecord& record, const OfTokens& recorded,
                      const std::vector<const Metric*>& metrics, std::size_t checkpoint,
                      const std::vector<std::vector<bool>>& chooses) {
  std::vector<TokenTable> tables;
  for (const Metric* metric : metrics) tables.emplace_back(record, *metric);
  const double divisor = recorded.of_each_chosen ? static_cast<double>(record.top_k) : 1;
  for (std::size_t layer = 0; layer < record.moe_layers; ++layer) {
    std::vector<double> values =
        run.read<double>(recorded.dataset, {{checkpoint, layer, 0}, {1, 1, record.tokens}});
    for (double& value : values) value /= divisor;
    for (TokenTable& table : tables) table.add_layer(layer, values, chooses[layer]);
  }
  for (const TokenTable& table : tables) table.write(run, checkpoint);
}

/// By the dataset that they are of.
std::map<std::string, std::vector<const Metric*>> metrics_by_dataset(const RunFile& run) {
  std::map<std::string, std::vector<const Metric*>> metrics;
  for (const Metric* metric : metrics_of<OfTokens>()) {
    const std::string& dataset = std::get<OfTokens>(metric->computation).dataset;
    if (run.contains(dataset)) metrics[dataset].push_back(metric);
  }
  return metrics;
}

}  // namespace

std::span<const double> recorded_quantiles() {
  static constexpr double levels[] = {0.05, 0.5, 0.95};
  return levels;
}

void write_token_metrics(RunFile& run, const ForwardRecord& record) {
  const MetricSizes sizes = metric_sizes(run, record);
  const auto by_dataset = metrics_by_dataset(run);
  for (const auto& [dataset, metrics] : by_dataset) {
    for (const Metric* metric : metrics) define_metric(run, *metric, sizes);
  }
  for (std::size_t c = 0; c < record.checkpoints; ++c) {
    if (!record.finished[c]) continue;
    const std::vector<std::vector<bool>> chooses = choosing(run, record, c);
    for (const auto& [dataset, metrics] : by_dataset)
      write_metrics_of(run, record, std::get<OfTokens>(metrics.front()->computation), metrics, c, chooses);
  }
}

}  // namespace moescope
