#pragma once
/// The way that the weights went from checkpoint to checkpoint.

#include <vector>

#include "plots/figures/figure_entry.h"

namespace moescope {

std::vector<FigureEntry> path_figures();

}  // namespace moescope
