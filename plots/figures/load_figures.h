#pragma once
/// How evenly the experts are used.

#include "plots/figures/figure_entry.h"

namespace moescope {

/// Layers x experts, one panel per domain or the chosen domain, at the chosen checkpoint. Needs
/// /metrics/relative_load.
Figure load_heatmap_figure(const RunFile& run, const FigureChoice& choice);

/// Colours of relative load: an eighth to eight times an even share.
ColorScale relative_load_scale();

/// Needs /metrics/max_violation.
Figure max_violation_figure(const RunFile& run, const FigureChoice& choice);
Figure max_violation_by_domain_figure(const RunFile& run, const FigureChoice& choice);
/// Needs /metrics/load_entropy.
Figure load_entropy_figure(const RunFile& run, const FigureChoice& choice);
/// Needs /metrics/dead_experts.
Figure dead_experts_figure(const RunFile& run, const FigureChoice& choice);

}  // namespace moescope
