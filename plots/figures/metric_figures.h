#pragma once
/// Figures that metrics have by their entries.

#include <string_view>
#include <vector>

#include "plots/figures/figure_entry.h"

namespace moescope {

/// Those of a section, in the order of the catalogue.
std::vector<FigureEntry> metric_figures(std::string_view section);

}  // namespace moescope
