#pragma once
/// Names of metrics that are meant by code beside their entries: figures of their own, the report,
/// comparisons. A metric that is only derived and drawn by its entry needs none.

namespace moescope::metric {

inline constexpr const char* expert_load = "expert_load";
inline constexpr const char* relative_load = "relative_load";
inline constexpr const char* max_violation = "max_violation";
inline constexpr const char* load_entropy = "load_entropy";
inline constexpr const char* dead_experts = "dead_experts";

inline constexpr const char* router_entropy = "router_entropy";
inline constexpr const char* topk_mass = "topk_mass";

inline constexpr const char* router_saturation = "router_saturation";
inline constexpr const char* router_saturation_top1 = "router_saturation_top1";
inline constexpr const char* routing_agreement = "routing_agreement";

inline constexpr const char* loss = "loss";

inline constexpr const char* role_norm = "role_norm";
inline constexpr const char* role_relative_drift = "role_relative_drift";
inline constexpr const char* role_path_length = "role_path_length";
inline constexpr const char* role_tortuosity = "role_tortuosity";
inline constexpr const char* role_update_rms_per_token = "role_update_rms_per_token";
inline constexpr const char* role_update_direction = "role_update_direction";
inline constexpr const char* role_trajectory_share = "role_trajectory_share";
inline constexpr const char* role_trajectory_coordinate = "role_trajectory_coordinate";
inline constexpr const char* layer_relative_drift = "layer_relative_drift";
inline constexpr const char* expert_relative_drift = "expert_relative_drift";
inline constexpr const char* role_sketched_drift = "role_sketched_drift";
inline constexpr const char* role_sketched_drift_error = "role_sketched_drift_error";

}  // namespace moescope::metric
