#include "analysis/derive/product_metrics.h"

#include <algorithm>

#include "analysis/derive/metric_dataset.h"
#include "analysis/record/recorded_products.h"
#include "analysis/record/recorded_roles.h"
#include "metrics/catalogue/catalogue.h"
#include "metrics/weights/weight_drift.h"
#include "readers/recorded/recorded_keys.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

/// Some weights as one long vector.
struct Group {
  WeightInnerProducts products;
  std::uint64_t tensors = 0, elements = 0;
};

/// All groups of one run.
struct Groups {
  std::vector<Group> by_role;        // (R)
  std::vector<Group> by_layer_role;  // (N, R)

  Groups(std::size_t checkpoints, std::size_t layers)
      : by_role(role_count, {WeightInnerProducts::zero(checkpoints)}),
        by_layer_role(layers * role_count, {WeightInnerProducts::zero(checkpoints)}) {}

  /// The groups that a weight belongs to.
  std::vector<Group*> groups_of(const WeightKey& key) {
    std::vector<Group*> groups;
    for (const std::size_t role : recorded_roles(key.role)) {
      groups.push_back(&by_role[role]);
      if (key.layer >= 0)
        groups.push_back(&by_layer_role[static_cast<std::size_t>(key.layer) * role_count + role]);
    }
    return groups;
  }
};

Groups read_groups(const RunFile& run, std::size_t checkpoints) {
  const std::vector<WeightKey> keys = recorded_keys(run);
  const std::vector<std::int64_t> elements = run.read(dataset::weights_element_count);
  Groups groups(checkpoints, run.shape(dataset::layer)[0]);
  for (std::uint64_t first = 0; first < keys.size(); first += tensors_at_once) {
    const std::uint64_t count = std::min<std::uint64_t>(tensors_at_once, keys.size() - first);
    const RecordedProducts recorded = read_products(run, first, count);
    for (std::uint64_t w = first; w < first + count; ++w) {
      const WeightInnerProducts products = recorded.of(w);
      for (Group* group : groups.groups_of(keys[w])) {
        group->products.add(products);
        group->elements += static_cast<std::uint64_t>(elements[w]);
        ++group->tensors;
      }
    }
  }
  return groups;
}

/// (rows, G): NaN for a group without tensors.
std::vector<double> table(const Metric& metric, const std::vector<Group>& groups, std::size_t rows,
                          std::span<const double> tokens_seen) {
  std::vector<double> result(rows * groups.size(), std::numeric_limits<double>::quiet_NaN());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (groups[g].tensors == 0) continue;
    const std::vector<double> values = std::get<OfProducts>(metric.computation)
                                           .values({groups[g].products, groups[g].elements, tokens_seen});
    for (std::size_t row = 0; row < rows; ++row) result[row * groups.size() + g] = values[row];
  }
  return result;
}

void write(RunFile& run, const Metric& metric, const std::vector<Group>& groups,
           std::span<const double> tokens_seen) {
  const std::string path = define_metric(run, metric);
  std::uint64_t values = 1;
  for (const std::uint64_t extent : run.shape(path)) values *= extent;
  const std::size_t rows = groups.empty() ? 0 : values / groups.size();
  run.write<double>(path, table(metric, groups, rows, tokens_seen));
}

/// Whether a run of C checkpoints has the dimension: a step needs two of them.
bool has_dimension(const RunFile& run, const std::string& axis) {
  const bool of_steps = axis == "checkpoint_step" || axis == "other_checkpoint_step" || axis == "component";
  return !of_steps || run.shape(dataset::checkpoint)[0] > 1;
}

}  // namespace

std::vector<const Metric*> product_metrics(const RunFile& run, const std::vector<std::string>& axes) {
  std::vector<const Metric*> metrics = metrics_of<OfProducts>();
  std::erase_if(metrics, [&](const Metric* metric) {
    const std::size_t before = std::max(metric->axes.size(), axes.size()) - axes.size();
    return !std::ranges::equal(std::span(metric->axes).subspan(before), axes) ||
           !std::ranges::all_of(metric->axes,
                                [&](const std::string& axis) { return has_dimension(run, axis); });
  });
  return metrics;
}

void write_product_metrics(RunFile& run) {
  if (!run.contains(dataset::weights_inner_product)) return;
  const Groups groups = read_groups(run, run.shape(dataset::checkpoint)[0]);
  const std::vector<double> tokens_seen = run.read(dataset::tokens_seen);
  for (const Metric* metric : product_metrics(run, {"role"})) {
    const bool by_layer = has_axis(*metric, "layer");
    write(run, *metric, by_layer ? groups.by_layer_role : groups.by_role, tokens_seen);
  }
}

}  // namespace moescope
