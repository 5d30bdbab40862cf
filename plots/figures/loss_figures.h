#pragma once
/// What the model learned, by domain.

#include <vector>

#include "plots/figures/figure_entry.h"

namespace moescope {

std::vector<FigureEntry> loss_figures();

}  // namespace moescope
