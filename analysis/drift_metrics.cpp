#include "analysis/drift_metrics.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>

#include "analysis/metric_dataset.h"
#include "metrics/weight_drift.h"
#include "readers/errors.h"
#include "readers/model_config.h"
#include "readers/tensor_roles.h"
#include "readers/weight_table.h"

namespace moescope {
namespace {

constexpr std::size_t role_count = std::size(all_role_groups);
constexpr std::uint64_t tensors_at_once = 512;

const WeightKey& key_of(const std::map<std::string, WeightKey>& keys, const std::string& name,
                        const RunFile& run) {
  const auto found = keys.find(name);
  if (found != keys.end()) return found->second;
  throw FormatError(run.path().string(), "tensor '" + name + "'",
                    "is not part of the model in /checkpoint_info");
}

std::size_t role_index(Role role) {
  const auto found = std::find(std::begin(all_role_groups), std::end(all_role_groups), role_group(role));
  return static_cast<std::size_t>(found - std::begin(all_role_groups));
}

/// Inner products of some weights taken together.
struct Group {
  WeightInnerProducts products;
  std::size_t tensors = 0;
};

/// All groups of one run.
struct Groups {
  std::vector<Group> by_role;        // (R)
  std::vector<Group> by_layer_role;  // (N, R)

  Groups(std::size_t checkpoints, std::size_t layers)
      : by_role(role_count, {WeightInnerProducts::zero(checkpoints)}),
        by_layer_role(layers * role_count, {WeightInnerProducts::zero(checkpoints)}) {}

  void add(const WeightKey& key, std::span<const double> inner, std::span<const double> delta_inner) {
    const std::size_t role = role_index(key.role);
    std::vector<Group*> wholes = {&by_role[role]};
    if (key.layer >= 0)
      wholes.push_back(&by_layer_role[static_cast<std::size_t>(key.layer) * role_count + role]);
    for (Group* whole : wholes) {
      whole->products.add(inner, delta_inner);
      ++whole->tensors;
    }
  }
};

Groups read_groups(const RunFile& run, std::size_t checkpoints, std::size_t layers) {
  const std::string config = run.read<std::string>("/checkpoint_info/config_json").at(0);
  const std::map<std::string, WeightKey> keys = weight_keys(parse_model_config(config, run.path().string()));
  const std::vector<std::string> names = run.read<std::string>("/tensor");
  const std::uint64_t c = checkpoints, steps = checkpoints - 1;
  Groups groups(checkpoints, layers);
  for (std::uint64_t first = 0; first < names.size(); first += tensors_at_once) {
    const std::uint64_t count = std::min<std::uint64_t>(tensors_at_once, names.size() - first);
    const std::vector<double> inner =
        run.read<double>("/weights/inner_product", {{first, 0, 0}, {count, c, c}});
    std::vector<double> deltas;  // one checkpoint has none
    if (steps > 0)
      deltas = run.read<double>("/weights/delta_inner_product", {{first, 0, 0}, {count, steps, steps}});
    for (std::uint64_t i = 0; i < count; ++i) {
      groups.add(key_of(keys, names[first + i], run), std::span(inner).subspan(i * c * c, c * c),
                 std::span(deltas).subspan(i * steps * steps, steps * steps));
    }
  }
  return groups;
}

/// `values_of(group)` of every group, (..., G): NaN for a group without tensors.
template <class ValuesOf>
std::vector<double> table(const std::vector<Group>& groups, std::size_t rows, ValuesOf values_of) {
  std::vector<double> result(rows * groups.size(), std::numeric_limits<double>::quiet_NaN());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (groups[g].tensors == 0) continue;
    const std::vector<double> values = values_of(groups[g].products);
    for (std::size_t row = 0; row < rows; ++row) result[row * groups.size() + g] = values[row];
  }
  return result;
}

}  // namespace

void write_drift_metrics(RunFile& run) {
  if (!run.contains("/weights/inner_product")) return;
  const std::size_t checkpoints = run.shape("/checkpoint")[0], pairs = checkpoints * checkpoints;
  const Groups groups = read_groups(run, checkpoints, run.shape("/layer")[0]);
  const MetricBounds distance = {{"lower_bound", 0.0}},
                     cosine = {{"lower_bound", -1.0}, {"upper_bound", 1.0}};
  const auto write = [&](const char* name, const MetricBounds& bounds, const std::vector<double>& values) {
    run.write<double>(define_metric(run, name, bounds, missing_weights), values);
  };
  write("role_norm", distance, table(groups.by_role, checkpoints, weight_norms));
  write("role_relative_drift", distance, table(groups.by_role, pairs, relative_drift));
  write("role_cosine", cosine, table(groups.by_role, pairs, weight_cosine));
  write("layer_relative_drift", distance, table(groups.by_layer_role, pairs, relative_drift));
}

}  // namespace moescope
