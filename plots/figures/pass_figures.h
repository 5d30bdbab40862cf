#pragma once
/// What the run itself took.

#include "plots/figures/figure_entry.h"

namespace moescope {

/// Reading, waiting and computing of each layer in the chosen checkpoint's forward pass; without a choice the
/// last one that was measured. Needs /pass_part and /io.
Figure pass_time_figure(const RunFile& run, const FigureChoice& choice);

}  // namespace moescope
