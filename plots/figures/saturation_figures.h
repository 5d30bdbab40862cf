#pragma once
/// When the choices of the router settled.

#include <vector>

#include "plots/figures/figure_entry.h"

namespace moescope {

std::vector<FigureEntry> saturation_figures();

}  // namespace moescope
