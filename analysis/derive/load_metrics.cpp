#include "analysis/derive/load_metrics.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "analysis/derive/metric_dataset.h"
#include "metrics/routing/expert_load.h"
#include "metrics/routing/load_chance.h"

namespace moescope {
namespace {

using Counts = std::span<const std::int64_t>;  // (E)

constexpr const char* missing_scale =
    "NaN: there is one expert, and so no scale between no entropy and the most, ln E = 0.";

/// A number per layer, from the counts of its experts.
struct LayerMetric {
  std::string name;
  double (*of)(Counts);
  /// Of E experts, K chosen by each of T tokens at random.
  double (*chance)(std::int64_t experts, std::int64_t top_k, std::int64_t tokens);
  double lower_bound = 0, upper_bound = 0;
  bool is_pooled = false;  // there is NAME_pooled
};

std::vector<LayerMetric> layer_metrics(std::int64_t experts, std::int64_t top_k) {
  const auto e = static_cast<double>(experts), k = static_cast<double>(top_k);
  const auto most = [&](double (*bound)(std::int64_t, std::int64_t)) { return bound(experts, top_k); };
  return {
      {"max_violation", max_violation, max_violation_chance, 0, most(max_violation_bound), true},
      {"min_violation", min_violation, min_violation_chance, 0, most(min_violation_bound)},
      {"mean_violation", mean_violation, mean_violation_chance, 0, most(mean_violation_bound)},
      {"load_cv", load_cv, load_cv_chance, 0, most(load_cv_bound), true},
      {"load_gini", load_gini, load_gini_chance, 0, most(load_gini_bound)},
      {"load_entropy", load_entropy, load_entropy_chance, load_entropy_bound(experts, top_k), 1, true},
      {"effective_experts", effective_experts, effective_experts_chance, k, e},
      {"dead_experts", dead_experts, dead_experts_chance, 0, most(dead_experts_bound)},
      {"cold_experts", cold_experts, cold_experts_chance, 0, most(cold_experts_bound)},
      {"hot_experts", hot_experts, hot_experts_chance, 0, most(hot_experts_bound)},
  };
}

/// Applies a metric to each layer of `counts` (..., E).
std::vector<double> by_layer(Counts counts, std::size_t experts, double (*metric)(Counts)) {
  std::vector<double> values;
  for (std::size_t start = 0; start < counts.size(); start += experts) {
    values.push_back(metric(counts.subspan(start, experts)));
  }
  return values;
}

/// (D, L, E) to (L, E).
std::vector<std::int64_t> sum_over_domains(Counts counts, std::size_t domains) {
  std::vector<std::int64_t> sums(counts.size() / std::max<std::size_t>(domains, 1));
  for (std::size_t i = 0; i < counts.size(); ++i) sums[i % sums.size()] += counts[i];
  return sums;
}

class LoadMetrics {
 public:
  LoadMetrics(RunFile& run, const ForwardRecord& record)
      : run_(run),
        record_(record),
        experts_(static_cast<std::int64_t>(record.experts)),
        top_k_(static_cast<std::int64_t>(record.top_k)),
        token_count_(run.read<std::int64_t>("/routing/token_count")),
        layer_metrics_(layer_metrics(experts_, top_k_)) {}

  void define() {
    for (const LayerMetric& metric : layer_metrics_) define_layer_metric(metric);
    const auto e = static_cast<double>(experts_), k = static_cast<double>(top_k_);
    const bool all = experts_ == top_k_;  // every token takes every expert
    define_metric(run_, "expert_load",
                  {{"chance", k / e}, {"lower_bound", all ? 1.0 : 0.0}, {"upper_bound", 1.0}},
                  missing_forward);
    define_metric(run_, "relative_load",
                  {{"chance", 1.0}, {"lower_bound", all ? 1.0 : 0.0}, {"upper_bound", e / k}},
                  missing_forward);
    define_metric(run_, "load_cv_chance", {}, missing_forward);
  }

  void write(std::size_t checkpoint) {
    const Slab all{{checkpoint, 0, 0, 0}, {1, record_.domains, record_.moe_layers, record_.experts}};
    const Slab scalars{{checkpoint, 0, 0}, {1, record_.domains, record_.moe_layers}};
    const std::vector<std::int64_t> counts = run_.read<std::int64_t>("/routing/expert_count", all);
    for (const LayerMetric& metric : layer_metrics_) {
      write_values(metric.name, scalars, by_layer(counts, record_.experts, metric.of));
    }
    const std::vector<std::int64_t> tokens = choosing_tokens(run_, record_, checkpoint);  // (D, L)
    write_values("expert_load", all, loads(counts, tokens));
    write_values("relative_load", all, relative_loads(counts));
    write_values("load_cv_chance", scalars, cv_chances(tokens));
    const std::vector<std::int64_t> pooled = sum_over_domains(counts, record_.domains);
    for (const LayerMetric& metric : layer_metrics_) {
      const Slab layers{{checkpoint, 0}, {1, record_.moe_layers}};
      if (metric.is_pooled)
        write_values(metric.name + "_pooled", layers, by_layer(pooled, record_.experts, metric.of));
    }
  }

 private:
  void write_values(const std::string& name, const Slab& slab, const std::vector<double>& values) {
    run_.write<double>("/metrics/" + name, slab, values);
  }

  void define_layer_metric(const LayerMetric& metric) {
    const auto chance = [&](std::int64_t tokens) { return metric.chance(experts_, top_k_, tokens); };
    std::vector<double> by_domain;
    for (const std::int64_t tokens : token_count_) by_domain.push_back(chance(tokens));
    const double all_tokens =
        chance(std::accumulate(token_count_.begin(), token_count_.end(), std::int64_t{0}));
    const char* missing = metric.name == "load_entropy" && experts_ < 2 ? missing_scale : missing_forward;
    MetricBounds bounds = {{"lower_bound", metric.lower_bound}, {"upper_bound", metric.upper_bound}};
    if (metric.is_pooled) {
      bounds["chance"] = all_tokens;
      define_metric(run_, metric.name + "_pooled", bounds, missing);
      bounds.erase("chance");
    }
    bounds["chance_by_domain"] = by_domain;
    define_metric(run_, metric.name, bounds, missing);
  }

  std::vector<double> loads(Counts counts, Counts tokens) const {
    std::vector<double> values;
    for (std::size_t row = 0; row < tokens.size(); ++row) {
      const std::vector<double> load =
          expert_load(counts.subspan(row * record_.experts, record_.experts), tokens[row]);
      values.insert(values.end(), load.begin(), load.end());
    }
    return values;
  }

  std::vector<double> relative_loads(Counts counts) const {
    std::vector<double> values;
    for (std::size_t start = 0; start < counts.size(); start += record_.experts) {
      const std::vector<double> load = relative_load(counts.subspan(start, record_.experts));
      values.insert(values.end(), load.begin(), load.end());
    }
    return values;
  }

  std::vector<double> cv_chances(Counts tokens) const {
    std::vector<double> values;
    for (const std::int64_t count : tokens) values.push_back(load_cv_chance(experts_, top_k_, count));
    return values;
  }

  RunFile& run_;
  const ForwardRecord& record_;
  std::int64_t experts_, top_k_;
  std::vector<std::int64_t> token_count_;  // (D)
  std::vector<LayerMetric> layer_metrics_;
};

}  // namespace

void write_load_metrics(RunFile& run, const ForwardRecord& record) {
  LoadMetrics metrics(run, record);
  metrics.define();
  for (std::size_t c = 0; c < record.checkpoints; ++c) {
    if (record.finished[c]) metrics.write(c);
  }
}

}  // namespace moescope
