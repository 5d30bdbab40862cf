#pragma once
/// What singular values tell of the weights, and the routers' rows of themselves.

#include "plots/figures/figure_entry.h"
#include "plots/figures/heatmap_explorer.h"

namespace moescope {

/// Rank of each layer's router, beside what a random matrix has and what a matrix can have at most. Need
/// /weights/stable_rank and /weights/effective_rank.
Figure router_stable_rank_figure(const RunFile& run, const FigureChoice& choice);
Figure router_effective_rank_figure(const RunFile& run, const FigureChoice& choice);

/// Power-law exponent of the routed experts by layer: the median over the experts that were measured. Needs
/// /weights/power_law_alpha.
Figure expert_alpha_figure(const RunFile& run, const FigureChoice& choice);

/// Cosines of the router's rows at the chosen checkpoint, in the first, a middle and the last MoE layer.
/// Needs /weights/router_row_cosine.
Figure router_row_cosine_figure(const RunFile& run, const FigureChoice& choice);

/// The same by checkpoint and layer.
HeatmapExplorer router_row_cosine_explorer(const RunFile& run);

}  // namespace moescope
