#pragma once
/// Drift as sketches of the weights estimate it, beside the exact one: since the first checkpoint, with a
/// panel for each of the roles that hold most of the weights and a band of two standard errors to each side.

#include <vector>

#include "plots/figures/figure_entry.h"

namespace moescope {

std::vector<FigureEntry> sketch_figures();

}  // namespace moescope
