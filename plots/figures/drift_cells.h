#pragma once
/// Relative drift as cells of a heatmap.

#include <vector>

#include "plots/figures/figure_entry.h"
#include "plots/figures/run_values.h"

namespace moescope {

/// Relative drift from checkpoint `from` to `to`, of the roles that have
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

/// The chosen checkpoint, which must have moved from another. Throws UsageError for the first.
std::size_t later_checkpoint(const RunLabels& labels, const FigureChoice& choice);

}  // namespace moescope
