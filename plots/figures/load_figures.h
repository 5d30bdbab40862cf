#pragma once
/// How evenly the experts are used.

#include <vector>

#include "plots/figures/figure_entry.h"

namespace moescope {

std::vector<FigureEntry> load_figures();

}  // namespace moescope
