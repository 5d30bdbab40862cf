#include "analysis/drift_metrics.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "analysis/metric_dataset.h"
#include "analysis/recorded_products.h"
#include "metrics/trajectory_pca.h"
#include "metrics/weight_drift.h"
#include "metrics/weight_path.h"
#include "readers/tensor_roles.h"

namespace moescope {
namespace {

constexpr std::size_t whole_model = std::size(all_role_groups);  // stands behind the roles
constexpr std::size_t role_count = whole_model + 1;

constexpr const char* missing_rate =
    "NaN where the weight pass is not finished, the model has no such weights, or the training tokens of a "
    "checkpoint are unknown.";
constexpr const char* missing_direction =
    "NaN where the weight pass is not finished, the model has no such weights, or they did not move.";

const MetricBounds distance_bounds = {{"lower_bound", 0.0}},
                   cosine_bounds = {{"lower_bound", -1.0}, {"upper_bound", 1.0}},
                   tortuosity_bounds = {{"lower_bound", 1.0}},
                   share_bounds = {{"lower_bound", 0.0}, {"upper_bound", 1.0}};

/// Some weights as one long vector.
struct Group {
  WeightInnerProducts products;
  std::uint64_t tensors = 0, elements = 0;

  operator const WeightInnerProducts&() const { return products; }
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
    const std::size_t role = role_group_index(key.role);
    std::vector<Group*> groups = {&by_role[role], &by_role[whole_model]};
    if (key.layer < 0) return groups;
    Group* layer = &by_layer_role[static_cast<std::size_t>(key.layer) * role_count];
    groups.insert(groups.end(), {layer + role, layer + whole_model});
    return groups;
  }
};

Groups read_groups(const RunFile& run, std::size_t checkpoints) {
  const std::vector<WeightKey> keys = recorded_keys(run);
  const std::vector<std::int64_t> elements = run.read<std::int64_t>("/weights/element_count");
  Groups groups(checkpoints, run.shape("/layer")[0]);
  for (std::uint64_t first = 0; first < keys.size(); first += tensors_at_once) {
    const std::uint64_t count = std::min<std::uint64_t>(tensors_at_once, keys.size() - first);
    const RecordedProducts recorded = read_products(run, first, count);
    for (std::uint64_t w = first; w < first + count; ++w) {
      for (Group* group : groups.groups_of(keys[w])) {
        group->products.add(recorded.inner_of(w), recorded.delta_inner_of(w));
        group->elements += static_cast<std::uint64_t>(elements[w]);
        ++group->tensors;
      }
    }
  }
  return groups;
}

/// `values_of(group)` of every group, (rows, G): NaN for a group without tensors.
template <class ValuesOf>
std::vector<double> table(const std::vector<Group>& groups, std::size_t rows, ValuesOf values_of) {
  std::vector<double> result(rows * groups.size(), std::numeric_limits<double>::quiet_NaN());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (groups[g].tensors == 0) continue;
    const std::vector<double> values = values_of(groups[g]);
    for (std::size_t row = 0; row < rows; ++row) result[row * groups.size() + g] = values[row];
  }
  return result;
}

void write(RunFile& run, const char* name, const MetricBounds& bounds, const std::vector<double>& values,
           const char* missing = missing_weights) {
  run.write<double>(define_metric(run, name, bounds, missing), values);
}

/// What needs a step from one checkpoint to the next.
void write_steps(RunFile& run, const std::vector<Group>& roles, std::size_t checkpoints) {
  const std::size_t steps = checkpoints - 1;
  const std::vector<double> tokens = run.read<double>("/tokens_seen");
  write(
      run, "role_update_rms_per_token", distance_bounds,
      table(roles, steps,
            [&](const Group& group) { return update_rms_per_token(group.products, group.elements, tokens); }),
      missing_rate);
  write(run, "role_update_direction", cosine_bounds, table(roles, steps * steps, update_direction),
        missing_direction);
  write(run, "role_trajectory_eigenvalue", distance_bounds,
        table(roles, steps, [](const Group& group) { return trajectory_pca(group.products).eigenvalues; }));
  write(run, "role_trajectory_share", share_bounds,
        table(roles, steps, [](const Group& group) { return trajectory_pca(group.products).shares; }),
        missing_direction);
  write(run, "role_trajectory_coordinate", {}, table(roles, checkpoints * steps, [](const Group& group) {
          return trajectory_pca(group.products).coordinates;
        }));
}

}  // namespace

std::vector<std::string> role_labels() {
  std::vector<std::string> labels;
  for (const RoleGroup group : all_role_groups) labels.emplace_back(role_group_name(group));
  labels.emplace_back("whole_model");
  return labels;
}

void write_drift_metrics(RunFile& run) {
  if (!run.contains("/weights/inner_product")) return;
  const std::size_t checkpoints = run.shape("/checkpoint")[0], pairs = checkpoints * checkpoints;
  const Groups groups = read_groups(run, checkpoints);
  const std::vector<Group>& roles = groups.by_role;
  write(run, "role_norm", distance_bounds, table(roles, checkpoints, weight_norms));
  write(run, "role_relative_drift", distance_bounds, table(roles, pairs, relative_drift));
  write(run, "role_cosine", cosine_bounds, table(roles, pairs, weight_cosine));
  write(run, "role_path_length", distance_bounds, table(roles, checkpoints, path_length));
  write(run, "role_displacement", distance_bounds, table(roles, checkpoints, displacement));
  write(run, "role_tortuosity", tortuosity_bounds, table(roles, checkpoints, tortuosity), missing_direction);
  if (checkpoints > 1) write_steps(run, roles, checkpoints);
  write(run, "layer_relative_drift", distance_bounds, table(groups.by_layer_role, pairs, relative_drift));
}

}  // namespace moescope
