#include "analysis/derive/drift_metrics.h"

#include <algorithm>
#include <limits>

#include "analysis/derive/metric_dataset.h"
#include "analysis/record/recorded_products.h"
#include "analysis/record/recorded_roles.h"
#include "metrics/weights/trajectory_pca.h"
#include "metrics/weights/weight_drift.h"
#include "metrics/weights/weight_path.h"

namespace moescope {
namespace {

// Each names what can make it NaN, and nothing else.
constexpr const char* missing_at_checkpoint =
    "NaN where the weight pass is not finished, the model has no such weights, or one of them is not finite.";
constexpr const char* missing_distance =
    "NaN where the weight pass is not finished or never read both checkpoints side by side, the model has no "
    "such weights, or one of them is not finite at the checkpoint or at the first one.";
constexpr const char* missing_tortuosity =
    "NaN where the weight pass is not finished or never read both checkpoints side by side, the model has no "
    "such weights, one of them is not finite at the checkpoint or at the first one, or they are where they "
    "began, as at the first checkpoint.";
constexpr const char* missing_rate =
    "NaN where the weight pass is not finished, the model has no such weights, one of them is not finite at "
    "either checkpoint, or the training tokens of a checkpoint are unknown or did not grow.";
constexpr const char* missing_direction =
    "NaN where the weight pass is not finished, the model has no such weights, one of them is not finite at "
    "a checkpoint of either step, or they did not move.";
constexpr const char* missing_component =
    "NaN where the weight pass is not finished or never read all checkpoints side by side, the model has no "
    "such weights, or one of them is not finite at a checkpoint: it is left out, and the last component with "
    "it.";
constexpr const char* missing_share =
    "NaN where the weight pass is not finished or never read all checkpoints side by side, the model has no "
    "such weights, they did not move, or one of them is not finite at a checkpoint: it is left out, and the "
    "last component with it.";

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
  const std::vector<std::int64_t> elements = run.read<std::int64_t>("/weights/element_count");
  Groups groups(checkpoints, run.shape("/layer")[0]);
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
           const char* missing) {
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
        table(roles, steps, [](const Group& group) { return trajectory_pca(group.products).eigenvalues; }),
        missing_component);
  write(run, "role_trajectory_share", share_bounds,
        table(roles, steps, [](const Group& group) { return trajectory_pca(group.products).shares; }),
        missing_share);
  write(run, "role_trajectory_coordinate", {},
        table(roles, checkpoints * steps,
              [](const Group& group) { return trajectory_pca(group.products).coordinates; }),
        missing_component);
}

}  // namespace

void write_drift_metrics(RunFile& run) {
  if (!run.contains("/weights/inner_product")) return;
  const std::size_t checkpoints = run.shape("/checkpoint")[0], pairs = checkpoints * checkpoints;
  const Groups groups = read_groups(run, checkpoints);
  const std::vector<Group>& roles = groups.by_role;
  write(run, "role_norm", distance_bounds, table(roles, checkpoints, weight_norms), missing_at_checkpoint);
  write(run, "role_relative_drift", distance_bounds, table(roles, pairs, relative_drift), missing_drift);
  write(run, "role_cosine", cosine_bounds, table(roles, pairs, weight_cosine), missing_cosine);
  write(run, "role_path_length", distance_bounds, table(roles, checkpoints, path_length), missing_distance);
  write(run, "role_displacement", distance_bounds, table(roles, checkpoints, displacement), missing_distance);
  write(run, "role_tortuosity", tortuosity_bounds, table(roles, checkpoints, tortuosity), missing_tortuosity);
  if (checkpoints > 1) write_steps(run, roles, checkpoints);
  write(run, "layer_relative_drift", distance_bounds, table(groups.by_layer_role, pairs, relative_drift),
        missing_drift);
}

}  // namespace moescope
