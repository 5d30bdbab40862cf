#include "analysis/load_metrics.h"

#include <algorithm>
#include <functional>

#include "analysis/metric_dataset.h"
#include "metrics/expert_load.h"

namespace moescope {
namespace {

using Counts = std::span<const std::int64_t>;  // (E)

/// A number per layer, from the counts of its experts.
struct LayerMetric {
  const char* name;
  std::function<double(Counts)> of;
  MetricBounds bounds;
};

std::vector<LayerMetric> layer_metrics(std::int64_t experts, std::int64_t top_k) {
  const auto e = static_cast<double>(experts), k = static_cast<double>(top_k);
  const double most_violation = max_violation_bound(experts, top_k), most_cv = load_cv_bound(experts, top_k);
  const double least_entropy = load_entropy_bound(experts, top_k);
  return {
      {"max_violation", max_violation, {{"lower_bound", 0.0}, {"upper_bound", most_violation}}},
      {"min_violation", min_violation, {{"lower_bound", 0.0}, {"upper_bound", 1.0}}},
      {"mean_violation", mean_violation, {{"lower_bound", 0.0}, {"upper_bound", 2 * (1 - k / e)}}},
      {"load_cv", load_cv, {{"lower_bound", 0.0}, {"upper_bound", most_cv}}},
      {"load_gini", load_gini, {{"lower_bound", 0.0}, {"upper_bound", load_gini_bound(experts, top_k)}}},
      {"load_entropy", load_entropy, {{"lower_bound", least_entropy}, {"upper_bound", 1.0}}},
      {"effective_experts", effective_experts, {{"lower_bound", k}, {"upper_bound", e}}},
      {"dead_experts", dead_experts, {{"lower_bound", 0.0}, {"upper_bound", e - k}}},
      {"cold_experts", cold_experts, {{"lower_bound", 0.0}, {"upper_bound", e - k}}},
      {"hot_experts", hot_experts, {{"lower_bound", 0.0}, {"upper_bound", k}}},
  };
}

std::vector<LayerMetric> pooled_metrics(std::int64_t experts, std::int64_t top_k) {
  std::vector<LayerMetric> pooled;
  for (LayerMetric& metric : layer_metrics(experts, top_k)) {
    const std::string name = metric.name;
    if (name == "max_violation") metric.name = "max_violation_pooled";
    if (name == "load_cv") metric.name = "load_cv_pooled";
    if (name == "load_entropy") metric.name = "load_entropy_pooled";
    if (name != metric.name) pooled.push_back(std::move(metric));
  }
  return pooled;
}

/// Applies a metric to each layer of `counts` (..., E).
std::vector<double> by_layer(Counts counts, std::size_t experts,
                             const std::function<double(Counts)>& metric) {
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
        layer_metrics_(layer_metrics(experts_, top_k_)),
        pooled_metrics_(pooled_metrics(experts_, top_k_)) {}

  void define() {
    for (const auto* metrics : {&layer_metrics_, &pooled_metrics_}) {
      for (const LayerMetric& metric : *metrics)
        define_metric(run_, metric.name, metric.bounds, missing_forward);
    }
    const auto e = static_cast<double>(experts_), k = static_cast<double>(top_k_);
    define_metric(run_, "expert_load", {{"chance", k / e}, {"lower_bound", 0.0}, {"upper_bound", 1.0}},
                  missing_forward);
    define_metric(run_, "relative_load", {{"chance", 1.0}, {"lower_bound", 0.0}, {"upper_bound", e / k}},
                  missing_forward);
    define_metric(run_, "load_cv_chance", {}, missing_forward);
    set_chance_by_domain("load_cv", load_cv_chance);
    set_chance_by_domain("dead_experts", dead_experts_chance);
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
    for (const LayerMetric& metric : pooled_metrics_) {
      const Slab layers{{checkpoint, 0}, {1, record_.moe_layers}};
      write_values(metric.name, layers, by_layer(pooled, record_.experts, metric.of));
    }
  }

 private:
  void write_values(const std::string& name, const Slab& slab, const std::vector<double>& values) {
    run_.write<double>("/metrics/" + name, slab, values);
  }

  void set_chance_by_domain(const std::string& name,
                            double (*chance)(std::int64_t, std::int64_t, std::int64_t)) {
    std::vector<double> by_domain;
    for (const std::int64_t tokens : token_count_) by_domain.push_back(chance(experts_, top_k_, tokens));
    run_.set_attribute("/metrics/" + name, "chance_by_domain", by_domain);
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
  std::vector<LayerMetric> layer_metrics_, pooled_metrics_;
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
