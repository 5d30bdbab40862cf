#include "analysis/derive/expert_drift_metrics.h"

#include <algorithm>
#include <limits>

#include "analysis/derive/metric_dataset.h"
#include "analysis/record/recorded_products.h"
#include "metrics/weights/weight_drift.h"

namespace moescope {
namespace {

/// Where the routed experts of a layer stand among all tensors: next to each other, in canonical order.
struct TensorRange {
  std::uint64_t begin = std::numeric_limits<std::uint64_t>::max(), end = 0;

  void add(std::uint64_t tensor) {
    begin = std::min(begin, tensor);
    end = std::max(end, tensor + 1);
  }
};

bool is_expert_of(const WeightKey& key, std::int64_t layer) {
  return key.layer == layer && key.expert >= 0;
}

/// The sums over the matrices of each routed expert of a layer, (E).
std::vector<WeightInnerProducts> read_experts(const RunFile& run, const std::vector<WeightKey>& keys,
                                              std::int64_t layer, std::size_t experts) {
  TensorRange range;
  for (std::uint64_t w = 0; w < keys.size(); ++w) {
    if (is_expert_of(keys[w], layer)) range.add(w);
  }
  std::vector<WeightInnerProducts> sums(experts, WeightInnerProducts::zero(run.shape("/checkpoint")[0]));
  for (std::uint64_t first = range.begin; first < range.end; first += tensors_at_once) {
    const std::uint64_t count = std::min(tensors_at_once, range.end - first);
    const RecordedProducts recorded = read_products(run, first, count);
    for (std::uint64_t w = first; w < first + count; ++w) {
      if (is_expert_of(keys[w], layer)) sums[static_cast<std::size_t>(keys[w].expert)].add(recorded.of(w));
    }
  }
  return sums;
}

}  // namespace

void write_expert_drift(RunFile& run) {
  if (!run.contains("/weights/inner_product")) return;
  const std::vector<std::int64_t> layers = run.read<std::int64_t>("/moe_layer");
  if (layers.empty()) return;
  const std::size_t experts = run.shape("/expert")[0];
  const std::size_t checkpoints = run.shape("/checkpoint")[0], pairs = checkpoints * checkpoints;
  const std::vector<WeightKey> keys = recorded_keys(run);
  std::vector<double> values(pairs * layers.size() * experts);  // (C, C, L, E)
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const std::vector<WeightInnerProducts> products = read_experts(run, keys, layers[l], experts);
    for (std::size_t e = 0; e < experts; ++e) {
      const std::vector<double> drift = relative_drift(products[e]);
      for (std::size_t pair = 0; pair < pairs; ++pair)
        values[(pair * layers.size() + l) * experts + e] = drift[pair];
    }
  }
  run.write<double>(define_metric(run, "expert_relative_drift", {{"lower_bound", 0.0}}, missing_drift),
                    values);
}

}  // namespace moescope
