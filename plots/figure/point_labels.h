#pragma once
/// The names of a line's points, beside them.

#include <vector>

#include "plots/figure/layout.h"

namespace moescope {

/// For every series with point_labels. A name stands where it covers neither a point nor another name, and as
/// little as possible of the lines; where there is no such place it is left out. The first and the last point
/// choose before the others. `place` must have its plot and ranges.
std::vector<PointLabel> place_point_labels(const Panel& panel, const PanelLayout& place, double font_size);

}  // namespace moescope
