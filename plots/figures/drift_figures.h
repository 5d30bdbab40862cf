#pragma once
/// How far the weights moved.

#include "plots/figures/figure_entry.h"
#include "plots/figures/run_values.h"

namespace moescope {

/// Roles x layers at the chosen checkpoint: drift since the first and since the previous checkpoint. Needs
/// /metrics/layer_relative_drift.
Figure drift_heatmap_figure(const RunFile& run, const FigureChoice& choice);

/// The cells of one such heatmap: relative drift from checkpoint `from` to `to`, of the roles that have
/// layers, with a last column for all layers of a role together, where the file holds
/// /metrics/role_relative_drift.
class DriftCells {
 public:
  explicit DriftCells(const RunFile& run);
  Heatmap between(std::size_t from, std::size_t to) const;
  /// Colours for all heatmaps since the first checkpoint, or since the previous one, or both.
  ColorScale scale(bool since_first, bool since_previous) const;

 private:
  RunLabels labels_;
  Values by_layer_;                 // (C, C, N, roles)
  Values by_role_;                  // (C, C, roles); empty when the file has none
  std::vector<std::size_t> roles_;  // that exist
};

/// Colours for these relative drifts: logarithmic where they differ by more than a factor.
ColorScale drift_scale(const std::vector<double>& drifts);

/// MoE layers x experts, from the first to the chosen checkpoint. Needs /metrics/expert_relative_drift.
Figure expert_drift_figure(const RunFile& run, const FigureChoice& choice);

/// Since the first checkpoint, and since the previous one. Need /metrics/role_relative_drift.
Figure weight_drift_figure(const RunFile& run, const FigureChoice& choice);
Figure weight_step_drift_figure(const RunFile& run, const FigureChoice& choice);
/// Needs /metrics/role_norm.
Figure weight_norm_figure(const RunFile& run, const FigureChoice& choice);

}  // namespace moescope
