#pragma once
/// What singular values tell of the weights, and the routers' rows of themselves.

#include <vector>

#include "plots/figures/figure_entry.h"

namespace moescope {

std::vector<FigureEntry> spectrum_figures();

}  // namespace moescope
