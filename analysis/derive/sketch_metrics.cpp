#include "analysis/derive/sketch_metrics.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/derive/metric_dataset.h"
#include "analysis/record/recorded_products.h"
#include "analysis/record/recorded_roles.h"
#include "analysis/record/recorded_sketches.h"
#include "metrics/catalogue/catalogue.h"
#include "metrics/weights/sketched_drift.h"
#include "readers/recorded/recorded_keys.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

/// Tensors whose sketches have one key: the same matrix of all routed experts of a layer, or one tensor.
struct KeyGroup {
  std::vector<double> squares;  // (C, C)
  std::int64_t element_count = 0;
};

WeightKey shared_key(WeightKey key) {
  key.expert = std::min<std::int64_t>(key.expert, 0);
  return key;
}

std::map<WeightKey, KeyGroup> read_key_groups(const RunFile& run, const std::vector<WeightKey>& keys) {
  const std::vector<std::int64_t> elements = run.read(dataset::weights_element_count);
  std::map<WeightKey, KeyGroup> groups;
  for (std::uint64_t first = 0; first < keys.size(); first += tensors_at_once) {
    const std::uint64_t count = std::min<std::uint64_t>(tensors_at_once, keys.size() - first);
    const RecordedSketches sketches = read_sketches(run, first, count);
    for (std::uint64_t w = first; w < first + count; ++w) {
      const std::vector<double> squares = sketched_squares(sketches.of(w));
      KeyGroup& group = groups[shared_key(keys[w])];
      group.element_count = elements[w];
      group.squares.resize(squares.size());
      std::ranges::transform(group.squares, squares, group.squares.begin(), std::plus<>());
    }
  }
  return groups;
}

std::vector<SketchedDistances> distances_by_role(const RunFile& run, const std::vector<WeightKey>& keys) {
  std::vector<SketchedDistances> by_role(role_count,
                                         SketchedDistances::zero(run.shape(dataset::checkpoint)[0]));
  for (const auto& [key, group] : read_key_groups(run, keys)) {
    for (const std::size_t role : recorded_roles(key.role))
      by_role[role].add(group.squares, group.element_count);
  }
  return by_role;
}

/// By role, (C) each.
std::vector<std::vector<double>> norms_by_role(const RunFile& run, const std::vector<WeightKey>& keys) {
  const std::size_t checkpoints = run.shape(dataset::checkpoint)[0];
  const std::vector<double> norms = run.read(dataset::weights_norm);  // (C, W)
  std::vector<std::vector<double>> by_role(role_count, std::vector<double>(checkpoints));
  for (std::size_t i = 0; i < norms.size(); ++i) {
    const std::size_t c = i / keys.size();
    for (const std::size_t role : recorded_roles(keys[i % keys.size()].role))
      by_role[role][c] += norms[i] * norms[i];
  }
  for (std::vector<double>& role : by_role)
    std::ranges::transform(role, role.begin(), [](double square) { return std::sqrt(square); });
  return by_role;
}

/// (C, C, R)
std::vector<double> table(const OfSketches& computation, const std::vector<SketchedDrift>& drifts) {
  const std::size_t pairs = computation.values(drifts.front()).size();
  std::vector<double> values;
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    for (const SketchedDrift& drift : drifts) values.push_back(computation.values(drift)[pair]);
  }
  return values;
}

}  // namespace

void write_sketch_metrics(RunFile& run) {
  if (!run.contains(dataset::weights_sketch)) return;
  const std::vector<WeightKey> keys = recorded_keys(run);
  const std::vector<SketchedDistances> distances = distances_by_role(run, keys);
  const std::vector<std::vector<double>> norms = norms_by_role(run, keys);
  std::vector<SketchedDrift> drifts;
  for (std::size_t role = 0; role < role_count; ++role)
    drifts.push_back(sketched_drift(distances[role], norms[role]));
  for (const Metric* metric : metrics_of<OfSketches>())
    run.write<double>(define_metric(run, *metric), table(std::get<OfSketches>(metric->computation), drifts));
}

}  // namespace moescope
