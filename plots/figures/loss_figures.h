#pragma once
/// What the model learned, by domain.

#include "plots/figures/figure_entry.h"

namespace moescope {

/// Needs /metrics/loss.
Figure loss_figure(const RunFile& run, const FigureChoice& choice);

}  // namespace moescope
