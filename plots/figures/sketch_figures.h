#pragma once
/// Drift as sketches of the weights estimate it, beside the exact one.

#include "plots/figures/figure_entry.h"

namespace moescope {

// Both are since the first checkpoint, with a panel for each of the roles that hold most of the weights and a
// band of two standard errors to each side. They need /metrics/role_sketched_drift,
// /metrics/role_sketched_drift_error and /metrics/role_relative_drift.

/// Where the exact drift is not known, the estimate stands alone.
Figure sketched_drift_figure(const RunFile& run, const FigureChoice& choice);
/// The estimate divided by the exact drift.
Figure sketched_drift_ratio_figure(const RunFile& run, const FigureChoice& choice);

}  // namespace moescope
