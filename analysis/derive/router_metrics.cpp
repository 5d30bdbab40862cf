#include "analysis/derive/router_metrics.h"

#include <cmath>

#include "analysis/derive/metric_dataset.h"
#include "metrics/routing/router_distribution.h"
#include "metrics/statistics.h"

namespace moescope {
namespace {

/// A metric that is the mean of a recorded number over tokens.
struct TokenMetric {
  std::string name;
  std::string dataset;         // (C, L, T)
  double divisor = 1;          // of the recorded number
  bool has_quantiles = false;  // NAME_quantile
  MetricBounds bounds;
  const char* missing = missing_forward;
};

// Where a metric does not exist whatever is measured, that is the reason, and no other.
constexpr const char* all_chosen =
    "NaN: every token takes all experts (K = E), so that none is left out which the last one could beat.";
constexpr const char* all_eligible_chosen =
    "NaN: every token takes all experts of the groups that it may choose from, so that none is left out "
    "which the last one could beat.";
constexpr const char* one_chosen =
    "NaN: a token takes one expert (K = 1), which has all of the weight: there is no mixture.";

const char* missing_margin(const ForwardRecord& record) {
  if (record.top_k == record.experts) return all_chosen;
  return record.top_k == record.eligible ? all_eligible_chosen : missing_forward;
}

std::vector<TokenMetric> token_metrics(const ForwardRecord& record) {
  const auto e = static_cast<double>(record.experts), k = static_cast<double>(record.top_k);
  return {
      {"router_entropy", "/routing/entropy", 1, true, {{"lower_bound", 0.0}, {"upper_bound", std::log(e)}}},
      {"topk_mass",
       "/routing/topk_mass",
       1,
       true,
       {{"chance", k / e}, {"lower_bound", 0.0}, {"upper_bound", 1.0}}},
      {"routing_margin", "/routing/margin", 1, true, {{"lower_bound", 0.0}}, missing_margin(record)},
      {"bias_flip_rate",
       "/routing/bias_flips",
       k,
       false,
       {{"lower_bound", 0.0},
        {"upper_bound", bias_flip_rate_bound(static_cast<std::int64_t>(record.experts),
                                             static_cast<std::int64_t>(record.top_k))}}},
      {"top1_share", "/routing/top1_share", 1, false, {{"lower_bound", 1 / k}, {"upper_bound", 1.0}}},
      {"topk_weight_entropy",
       "/routing/topk_weight_entropy",
       1,
       false,
       {{"lower_bound", 0.0}, {"upper_bound", 1.0}},
       record.top_k == 1 ? one_chosen : missing_forward},
  };
}

std::string quantile_name(const TokenMetric& metric) {
  return metric.name + "_quantile";
}

class TokenMetricWriter {
 public:
  TokenMetricWriter(RunFile& run, const ForwardRecord& record, const TokenMetric& metric)
      : run_(run), record_(record), metric_(metric) {
    define_metric(run, metric.name, metric.bounds, metric.missing);
    if (metric.has_quantiles) define_metric(run, quantile_name(metric), metric.bounds, metric.missing);
    if (is_pooled()) define_metric(run, metric.name + "_pooled", metric.bounds, metric.missing);
  }

  void write(std::size_t checkpoint) {
    Table table(record_.domains * record_.moe_layers, recorded_quantiles().size(), record_.moe_layers);
    for (std::size_t layer = 0; layer < record_.moe_layers; ++layer) add_layer(checkpoint, layer, table);
    const std::uint64_t domains = record_.domains, layers = record_.moe_layers;
    run_.write<double>("/metrics/" + metric_.name, {{checkpoint, 0, 0}, {1, domains, layers}}, table.means);
    if (is_pooled()) {
      run_.write<double>("/metrics/" + metric_.name + "_pooled", {{checkpoint, 0}, {1, layers}},
                         table.pooled);
    }
    if (!metric_.has_quantiles) return;
    run_.write<double>("/metrics/" + quantile_name(metric_),
                       {{0, checkpoint, 0, 0}, {recorded_quantiles().size(), 1, domains, layers}},
                       table.quantiles);
  }

 private:
  /// The metric of one checkpoint.
  struct Table {
    Table(std::size_t cells, std::size_t levels, std::size_t layers)
        : means(cells), quantiles(levels * cells), pooled(layers) {}
    std::vector<double> means;      // (D, L)
    std::vector<double> quantiles;  // (Q, D, L)
    std::vector<double> pooled;     // (L)
  };

  /// Which tokens chose experts in a layer: (T).
  std::vector<bool> choosing(std::size_t checkpoint, std::size_t layer) const {
    std::vector<bool> result(record_.tokens, true);
    const std::vector<std::int64_t> tokens = choosing_tokens(run_, record_, checkpoint);
    std::size_t all = 0;
    for (std::size_t d = 0; d < record_.domains; ++d)
      all += static_cast<std::size_t>(tokens[d * record_.moe_layers + layer]);
    if (all == record_.tokens) return result;
    const RecordedChoices choices = read_choices(run_, checkpoint, layer);
    for (std::size_t t = 0; t < result.size(); ++t) result[t] = has_choice(choices.of(t));
    return result;
  }

  bool is_pooled() const { return metric_.name == "router_entropy"; }

  void add_layer(std::size_t checkpoint, std::size_t layer, Table& table) {
    std::vector<double> values =
        run_.read<double>(metric_.dataset, {{checkpoint, layer, 0}, {1, 1, record_.tokens}});
    for (double& value : values) value /= metric_.divisor;
    const std::vector<bool> chooses = choosing(checkpoint, layer);
    std::vector<double> of_all;
    for (std::size_t t = 0; t < values.size(); ++t) {
      if (chooses[t]) of_all.push_back(values[t]);
    }
    table.pooled[layer] = mean(of_all);
    for (std::size_t domain = 0; domain < record_.domains; ++domain) {
      const std::size_t cell = domain * record_.moe_layers + layer;
      std::vector<std::size_t> tokens = record_.domain_tokens[domain];
      std::erase_if(tokens, [&](std::size_t t) { return !chooses[t]; });
      std::vector<double> of_domain = of_tokens(values, tokens);
      table.means[cell] = mean(of_domain);
      if (!metric_.has_quantiles) continue;
      const std::vector<double> levels = quantiles(std::move(of_domain), recorded_quantiles());
      for (std::size_t q = 0; q < levels.size(); ++q)
        table.quantiles[q * table.means.size() + cell] = levels[q];
    }
  }

  RunFile& run_;
  const ForwardRecord& record_;
  const TokenMetric& metric_;
};

}  // namespace

std::span<const double> recorded_quantiles() {
  static constexpr double levels[] = {0.05, 0.5, 0.95};
  return levels;
}

void write_router_metrics(RunFile& run, const ForwardRecord& record) {
  for (const TokenMetric& metric : token_metrics(record)) {
    if (!run.contains(metric.dataset)) continue;
    TokenMetricWriter writer(run, record, metric);
    for (std::size_t c = 0; c < record.checkpoints; ++c) {
      if (record.finished[c]) writer.write(c);
    }
  }
}

}  // namespace moescope
