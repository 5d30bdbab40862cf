#pragma once
/// How far single experts moved.

#include <vector>

#include "plots/figures/figure_entry.h"

namespace moescope {

std::vector<FigureEntry> expert_drift_figures();

}  // namespace moescope
