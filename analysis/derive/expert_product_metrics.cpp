#include "analysis/derive/expert_product_metrics.h"

#include <algorithm>
#include <limits>

#include "analysis/derive/metric_dataset.h"
#include "analysis/derive/product_metrics.h"
#include "analysis/record/recorded_products.h"
#include "metrics/weights/weight_drift.h"
#include "readers/recorded/recorded_keys.h"
#include "readers/schema/datasets.h"

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

/// The routed experts of a layer.
struct LayerExperts {
  std::vector<WeightInnerProducts> products;  // (E): sums over the matrices of each
  std::vector<std::uint64_t> elements;        // (E)
};

LayerExperts read_experts(const RunFile& run, const std::vector<WeightKey>& keys,
                          const std::vector<std::int64_t>& elements, std::int64_t layer,
                          std::size_t experts) {
  TensorRange range;
  for (std::uint64_t w = 0; w < keys.size(); ++w) {
    if (is_expert_of(keys[w], layer)) range.add(w);
  }
  LayerExperts sums{{experts, WeightInnerProducts::zero(run.shape(dataset::checkpoint)[0])},
                    std::vector<std::uint64_t>(experts)};
  for (std::uint64_t first = range.begin; first < range.end; first += tensors_at_once) {
    const std::uint64_t count = std::min(tensors_at_once, range.end - first);
    const RecordedProducts recorded = read_products(run, first, count);
    for (std::uint64_t w = first; w < first + count; ++w) {
      if (!is_expert_of(keys[w], layer)) continue;
      const auto expert = static_cast<std::size_t>(keys[w].expert);
      sums.products[expert].add(recorded.of(w));
      sums.elements[expert] += static_cast<std::uint64_t>(elements[w]);
    }
  }
  return sums;
}

/// A metric of all experts.
struct ExpertTable {
  const Metric& metric;
  std::size_t rows = 0, layers = 0, experts = 0;
  std::vector<double> values = std::vector<double>(rows * layers * experts);  // (rows, L, E)

  void add_layer(std::size_t layer, const LayerExperts& of, std::span<const double> tokens_seen) {
    for (std::size_t e = 0; e < experts; ++e) {
      const std::vector<double> numbers =
          std::get<OfProducts>(metric.computation).values({of.products[e], of.elements[e], tokens_seen});
      for (std::size_t row = 0; row < rows; ++row)
        values[(row * layers + layer) * experts + e] = numbers[row];
    }
  }
};

std::vector<ExpertTable> define_tables(RunFile& run, std::size_t layers, std::size_t experts) {
  std::vector<ExpertTable> tables;
  for (const Metric* metric : product_metrics(run, {"moe_layer", "expert"})) {
    std::size_t rows = 1;
    const std::vector<std::uint64_t> shape = run.shape(define_metric(run, *metric));
    for (std::size_t axis = 0; axis + 2 < shape.size(); ++axis) rows *= shape[axis];
    tables.push_back({*metric, rows, layers, experts});
  }
  return tables;
}

}  // namespace

void write_expert_product_metrics(RunFile& run) {
  if (!run.contains(dataset::weights_inner_product)) return;
  const std::vector<std::int64_t> layers = run.read(dataset::moe_layer);
  if (layers.empty()) return;
  const std::size_t experts = run.shape(dataset::expert)[0];
  const std::vector<WeightKey> keys = recorded_keys(run);
  const std::vector<std::int64_t> elements = run.read(dataset::weights_element_count);
  const std::vector<double> tokens_seen = run.read(dataset::tokens_seen);
  std::vector<ExpertTable> tables = define_tables(run, layers.size(), experts);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const LayerExperts of_layer = read_experts(run, keys, elements, layers[l], experts);
    for (ExpertTable& table : tables) table.add_layer(l, of_layer, tokens_seen);
  }
  for (const ExpertTable& table : tables) run.write<double>(metric_path(table.metric.name), table.values);
}

}  // namespace moescope
