#pragma once
/// How sure the router is, and when its choices settled.

#include "plots/figures/figure_entry.h"

namespace moescope {

/// Each needs the metric it is named after, below /metrics/.
Figure router_entropy_figure(const RunFile& run, const FigureChoice& choice);
Figure topk_mass_figure(const RunFile& run, const FigureChoice& choice);
Figure routing_margin_figure(const RunFile& run, const FigureChoice& choice);
Figure bias_flip_rate_figure(const RunFile& run, const FigureChoice& choice);
Figure top1_share_figure(const RunFile& run, const FigureChoice& choice);
Figure router_saturation_figure(const RunFile& run, const FigureChoice& choice);
Figure router_saturation_top1_figure(const RunFile& run, const FigureChoice& choice);

/// Tokens' router entropy by domain: median over tokens with the 5 % to 95 % band, averaged over layers.
/// Needs /metrics/router_entropy_quantile.
Figure router_entropy_by_domain_figure(const RunFile& run, const FigureChoice& choice);

/// Checkpoint x checkpoint, averaged over layers. Needs /metrics/routing_agreement.
Figure routing_agreement_figure(const RunFile& run, const FigureChoice& choice);

}  // namespace moescope
