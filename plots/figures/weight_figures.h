#pragma once
/// How large the weights are, and how fast they move.

#include <vector>

#include "plots/figures/figure_entry.h"

namespace moescope {

std::vector<FigureEntry> weight_figures();

}  // namespace moescope
