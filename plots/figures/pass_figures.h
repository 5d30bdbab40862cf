#pragma once
/// What the run itself took.

#include <vector>

#include "plots/figures/figure_entry.h"

namespace moescope {

std::vector<FigureEntry> pass_figures();

}  // namespace moescope
