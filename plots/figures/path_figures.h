#pragma once
/// The way that the weights went from checkpoint to checkpoint.

#include "plots/figures/figure_entry.h"
#include "plots/figures/heatmap_explorer.h"

namespace moescope {

/// The whole model and the roles that matter most in the plane of their first two principal components. Needs
/// /metrics/role_trajectory_coordinate, /metrics/role_trajectory_share.
Figure weight_trajectory_figure(const RunFile& run, const FigureChoice& choice);
/// Cosines between the updates of the whole model. Needs /metrics/role_update_direction.
Figure update_direction_figure(const RunFile& run, const FigureChoice& choice);
/// Of every role.
HeatmapExplorer update_direction_explorer(const RunFile& run);

/// By role. Need /metrics/role_path_length and /metrics/role_norm, /metrics/role_tortuosity,
/// /metrics/role_update_rms_per_token.
Figure weight_path_length_figure(const RunFile& run, const FigureChoice& choice);
Figure weight_tortuosity_figure(const RunFile& run, const FigureChoice& choice);
Figure weight_update_rate_figure(const RunFile& run, const FigureChoice& choice);

}  // namespace moescope
