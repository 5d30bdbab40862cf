#include "metrics/catalogue/weight_metric_info.h"

#include <utility>

namespace moescope {
namespace {

using Axes = std::vector<std::string>;

const Axes by_role = {"checkpoint", "role"};
const Axes step_by_role = {"checkpoint_step", "role"};
const Axes pair_by_role = {"checkpoint", "other_checkpoint", "role"};
const Axes pair_of_steps_by_role = {"checkpoint_step", "other_checkpoint_step", "role"};
const Axes component_by_role = {"component", "role"};
const Axes pair_by_layer_role = {"checkpoint", "other_checkpoint", "layer", "role"};
const Axes pair_by_expert = {"checkpoint", "other_checkpoint", "moe_layer", "expert"};

const std::string own = "moescope";
const std::string sketches = "Alon, Matias and Szegedy 1996; Charikar, Chen and Farach-Colton 2002";
const std::string components = "Pearson 1901; of training, Lorch 2016";
const std::string from_s_to_t = "norm(W_t - W_s) / norm(W_s), s = checkpoint, t = other_checkpoint";

// W_c: all weights of a role at checkpoint c as one long vector; D_i = W_(i+1) - W_i.
const std::vector<MetricInfo> drift_metrics = {
    {"role_norm", "Norm of the weights, by role", "1", by_role, "norm(W_c)",
     "Frobenius norm of all weights of a role together.", own},
    {"role_relative_drift", "Relative drift of the weights, by role", "1", pair_by_role, from_s_to_t,
     "How far the weights of a role moved from s to t, relative to their norm at s; 0 is unmoved.", own},
    {"role_cosine", "Cosine between checkpoints, by role", "1", pair_by_role,
     "<W_s, W_t> / (norm(W_s) norm(W_t))",
     "Whether the weights of a role still point in the same direction; 1 is the same direction.", own},
    {"role_path_length", "Length of the weights' path, by role", "1", by_role, "sum_{i<c} norm(D_i)",
     "How far the weights of a role went from the first checkpoint, step by step. It depends on the spacing: "
     "with more checkpoints in between the same training is longer.",
     own},
    {"role_displacement", "Displacement of the weights, by role", "1", by_role, "norm(W_c - W_0)",
     "How far the weights of a role are from where they were at the first checkpoint.", own},
    {"role_tortuosity", "Tortuosity of the weights' path, by role", "1", by_role,
     "sum_{i<c} norm(D_i) / norm(W_c - W_0)",
     "How much longer the path of a role is than the straight way: 1 is a straight line, sqrt(c) are c equal "
     "steps at right angles. It depends on the spacing of the checkpoints, as the path does.",
     own},
    {"role_update_rms_per_token", "Update per token, by role", "1/token", step_by_role,
     "norm(D_i) / sqrt(elements) / (tokens_(i+1) - tokens_i)",
     "How far an average weight of a role moved for each token of training, in the step from one checkpoint "
     "to the next; long gaps look slower, because steps partly undo each other.",
     own},
    {"role_update_direction", "Cosine between updates, by role", "1", pair_of_steps_by_role,
     "<D_i, D_j> / (norm(D_i) norm(D_j))",
     "Whether training went on in the same direction: 1 is straight on, 0 a right angle, below 0 back.", own},
    {"role_trajectory_eigenvalue", "Eigenvalues of the trajectory, by role", "1", component_by_role,
     "lambda_k of <W_a - mean(W), W_b - mean(W)>",
     "Sum over checkpoints of the squared coordinate along each principal component of a role's trajectory.",
     components},
    {"role_trajectory_share", "Share of the trajectory's variance, by role", "1", component_by_role,
     "lambda_k / sum(lambda)",
     "Share of the movement that each principal component explains; the first is near 1 where training went "
     "along one line.",
     components},
    {"role_trajectory_coordinate",
     "Coordinates of the trajectory, by role",
     "1",
     {"checkpoint", "component", "role"},
     "sqrt(lambda_k) u_k(c)",
     "Where a checkpoint stands along each principal component, from the mean of all checkpoints; training "
     "goes from the first to the last in the positive direction. Distances are those between the weights.",
     components},
    {"layer_relative_drift", "Relative drift of the weights, by layer and role", "1", pair_by_layer_role,
     from_s_to_t,
     "How far the weights of a role in one layer moved from s to t; 0 is unmoved, NaN a role that the layer "
     "lacks.",
     own},
    {"expert_relative_drift", "Relative drift of the weights, by expert", "1", pair_by_expert, from_s_to_t,
     "How far a routed expert, its three matrices as one long vector, moved from s to t; 0 is unmoved.", own},
};

/// Estimates, where exact values may be missing.
const std::vector<MetricInfo> sketch_metrics = {
    {"role_sketched_drift", "Relative drift of the weights by sketch, by role", "1", pair_by_role,
     from_s_to_t + ", from sketches of W_s and W_t",
     "ESTIMATE of how far the weights of a role moved from s to t, relative to their norm at s: from "
     "sketches alone, also where a checkpoint is gone. Its standard error is role_sketched_drift_error; "
     "moves below 3e-7 of the norm are lost in rounding. The exact value is role_relative_drift.",
     sketches},
    {"role_sketched_drift_error", "Standard error of the drift by sketch, by role", "1", pair_by_role,
     "sqrt(sum over keys of (2 / m) (norm(W_t - W_s)²)²) / (2 norm(W_t - W_s) norm(W_s)), m = 1024",
     "Standard error of role_sketched_drift, at most so much: tensors of up to 1,024 elements are exact, and "
     "the routed experts of a layer, whose sketches have one key, are taken to err together.",
     sketches},
};

}  // namespace

std::vector<MetricInfo> weight_metrics() {
  std::vector<MetricInfo> metrics = drift_metrics;
  for (MetricInfo metric : sketch_metrics) {
    metric.from_sketches = true;
    metrics.push_back(std::move(metric));
  }
  for (MetricInfo& metric : metrics) metric.from_weights = true;
  return metrics;
}

}  // namespace moescope
