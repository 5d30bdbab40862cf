#pragma once
/// How sure the router is.

#include <vector>

#include "plots/figures/figure_entry.h"

namespace moescope {

std::vector<FigureEntry> router_figures();

}  // namespace moescope
