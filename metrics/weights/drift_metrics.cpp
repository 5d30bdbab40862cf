#include "metrics/weights/drift_metrics.h"

#include "metrics/entry/metric_names.h"
#include "metrics/entry/words.h"
#include "metrics/weights/trajectory_pca.h"
#include "metrics/weights/weight_drift.h"
#include "metrics/weights/weight_path.h"

namespace moescope {
namespace {

using namespace words;

const Axes by_role = {"checkpoint", "role"};
const Axes component_by_role = {"component", "role"};

const std::string components = "Pearson 1901; of training, Lorch 2016";

// Each names what can make it NaN, and nothing else.
constexpr const char* missing_at_checkpoint =
    "NaN where the weight pass is not finished, the model has no such weights, or one of them is not finite.";
constexpr const char* missing_drift =
    "NaN where the weight pass is not finished or never read both checkpoints side by side, the model has no "
    "such weights, one of them is not finite at either checkpoint, or all of them are 0 at the first of the "
    "two.";
constexpr const char* missing_cosine =
    "NaN where the weight pass is not finished or never read both checkpoints side by side, the model has no "
    "such weights, one of them is not finite at either checkpoint, or all of them are 0 at one.";
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

/// A metric that follows from the inner products alone.
template <std::vector<double> (*values)(const WeightInnerProducts&)>
OfProducts of() {
  return {[](const WeightGroup& group) { return values(group.products); }};
}

/// One member of the principal components.
template <std::vector<double> TrajectoryPca::*values>
OfProducts of_trajectory() {
  return {[](const WeightGroup& group) { return trajectory_pca(group.products).*values; }};
}

std::vector<double> update_rate(const WeightGroup& group) {
  return update_rms_per_token(group.products, group.elements, group.tokens);
}

std::vector<Metric> distances_by_role() {
  return {
      {.name = metric::role_norm,
       .long_name = "Norm of the weights, by role",
       .axes = by_role,
       .formula = "norm(W_c)",
       .description = "Frobenius norm of all weights of a role together.",
       .source = own,
       .computation = of<weight_norms>(),
       .lower_bound = 0.0,
       .missing = missing_at_checkpoint},
      {.name = metric::role_relative_drift,
       .long_name = "Relative drift of the weights, by role",
       .axes = pair_by_role,
       .formula = from_s_to_t,
       .description =
           "How far the weights of a role moved from s to t, relative to their norm at s; 0 is unmoved.",
       .source = own,
       .computation = of<relative_drift>(),
       .lower_bound = 0.0,
       .missing = missing_drift},
      {.name = "role_cosine",
       .long_name = "Cosine between checkpoints, by role",
       .axes = pair_by_role,
       .formula = "<W_s, W_t> / (norm(W_s) norm(W_t))",
       .description =
           "Whether the weights of a role still point in the same direction; 1 is the same direction.",
       .source = own,
       .computation = of<weight_cosine>(),
       .lower_bound = -1.0,
       .upper_bound = 1.0,
       .missing = missing_cosine},
  };
}

/// From the first checkpoint on.
std::vector<Metric> ways_by_role() {
  return {
      {.name = metric::role_path_length,
       .long_name = "Length of the weights' path, by role",
       .axes = by_role,
       .formula = "sum_{i<c} norm(D_i)",
       .description =
           "How far the weights of a role went from the first checkpoint, step by step. It depends on the "
           "spacing: with more checkpoints in between the same training is longer.",
       .source = own,
       .computation = of<path_length>(),
       .lower_bound = 0.0,
       .missing = missing_distance},
      {.name = "role_displacement",
       .long_name = "Displacement of the weights, by role",
       .axes = by_role,
       .formula = "norm(W_c - W_0)",
       .description = "How far the weights of a role are from where they were at the first checkpoint.",
       .source = own,
       .computation = of<displacement>(),
       .lower_bound = 0.0,
       .missing = missing_distance},
      {.name = metric::role_tortuosity,
       .long_name = "Tortuosity of the weights' path, by role",
       .axes = by_role,
       .formula = "sum_{i<c} norm(D_i) / norm(W_c - W_0)",
       .description =
           "How much longer the path of a role is than the straight way: 1 is a straight line, sqrt(c) are c "
           "equal steps at right angles. It depends on the spacing of the checkpoints, as the path does.",
       .source = own,
       .computation = of<tortuosity>(),
       .lower_bound = 1.0,
       .missing = missing_tortuosity,
       .figures = {{.id = "weight_tortuosity",
                    .title = "Tortuosity of the weights' path by role",
                    .section = section::path,
                    .y_label = "path length / displacement",
                    .caption =
                        "How much longer the path so far is than the straight way from the first checkpoint: "
                        "1 is a straight line, large means that much of the movement was taken back or went "
                        "elsewhere. Equal steps at right angles give the square root of their number, so the "
                        "value depends on the spacing of the checkpoints.",
                    .bottom = 1,
                    .checkpoints_needed = 3}}},
  };
}

/// What needs a step from one checkpoint to the next.
std::vector<Metric> steps_by_role() {
  return {
      {.name = metric::role_update_rms_per_token,
       .long_name = "Update per token, by role",
       .unit = "1/token",
       .axes = {"checkpoint_step", "role"},
       .formula = "norm(D_i) / sqrt(elements) / (tokens_(i+1) - tokens_i)",
       .description =
           "How far an average weight of a role moved for each token of training, in the step from one "
           "checkpoint to the next; long gaps look slower, because steps partly undo each other.",
       .source = own,
       .computation = OfProducts{update_rate},
       .lower_bound = 0.0,
       .missing = missing_rate},
      {.name = metric::role_update_direction,
       .long_name = "Cosine between updates, by role",
       .axes = {"checkpoint_step", "other_checkpoint_step", "role"},
       .formula = "<D_i, D_j> / (norm(D_i) norm(D_j))",
       .description =
           "Whether training went on in the same direction: 1 is straight on, 0 a right angle, below 0 back.",
       .source = own,
       .computation = of<update_direction>(),
       .lower_bound = -1.0,
       .upper_bound = 1.0,
       .missing = missing_direction},
      {.name = "role_trajectory_eigenvalue",
       .long_name = "Eigenvalues of the trajectory, by role",
       .axes = component_by_role,
       .formula = "lambda_k of <W_a - mean(W), W_b - mean(W)>",
       .description =
           "Sum over checkpoints of the squared coordinate along each principal component of a role's "
           "trajectory.",
       .source = components,
       .computation = of_trajectory<&TrajectoryPca::eigenvalues>(),
       .lower_bound = 0.0,
       .missing = missing_component},
      {.name = metric::role_trajectory_share,
       .long_name = "Share of the trajectory's variance, by role",
       .axes = component_by_role,
       .formula = "lambda_k / sum(lambda)",
       .description =
           "Share of the movement that each principal component explains; the first is near 1 where training "
           "went along one line.",
       .source = components,
       .computation = of_trajectory<&TrajectoryPca::shares>(),
       .lower_bound = 0.0,
       .upper_bound = 1.0,
       .missing = missing_share},
      {.name = metric::role_trajectory_coordinate,
       .long_name = "Coordinates of the trajectory, by role",
       .axes = {"checkpoint", "component", "role"},
       .formula = "sqrt(lambda_k) u_k(c)",
       .description =
           "Where a checkpoint stands along each principal component, from the mean of all checkpoints; "
           "training goes from the first to the last in the positive direction. Distances are those between "
           "the weights.",
       .source = components,
       .computation = of_trajectory<&TrajectoryPca::coordinates>(),
       .missing = missing_component},
  };
}

std::vector<Metric> drift_of_parts() {
  return {
      {.name = metric::layer_relative_drift,
       .long_name = "Relative drift of the weights, by layer and role",
       .axes = {"checkpoint", "other_checkpoint", "layer", "role"},
       .formula = from_s_to_t,
       .description =
           "How far the weights of a role in one layer moved from s to t; 0 is unmoved, NaN a role that the "
           "layer lacks.",
       .source = own,
       .computation = of<relative_drift>(),
       .lower_bound = 0.0,
       .missing = missing_drift},
      {.name = metric::expert_relative_drift,
       .long_name = "Relative drift of the weights, by expert",
       .axes = {"checkpoint", "other_checkpoint", "moe_layer", "expert"},
       .formula = from_s_to_t,
       .description =
           "How far a routed expert, its three matrices as one long vector, moved from s to t; 0 is unmoved.",
       .source = own,
       .computation = of<relative_drift>(),
       .lower_bound = 0.0,
       .missing = missing_drift},
  };
}

}  // namespace

// W_c: all weights of a role at checkpoint c as one long vector; D_i = W_(i+1) - W_i.
std::vector<Metric> drift_metrics() {
  return joined({distances_by_role(), ways_by_role(), steps_by_role(), drift_of_parts()});
}

}  // namespace moescope
