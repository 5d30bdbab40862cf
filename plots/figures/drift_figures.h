#pragma once
/// How far the weights of each role moved.

#include <vector>

#include "plots/figures/figure_entry.h"

namespace moescope {

std::vector<FigureEntry> drift_figures();

}  // namespace moescope
