#pragma once
/// Where a curve that ends at 1 is half-way up.

#include <cstddef>
#include <optional>
#include <vector>

namespace moescope {

/// Index of the first value that is half-way or more from chance to 1; nothing when that is the first of all,
/// when there is none, or when a value before it is missing.
std::optional<std::size_t> half_way_step(const std::vector<double>& y, double chance);
/// Where a curve from chance to 1 is half-way up, by linear interpolation between checkpoints, in the units
/// of `x`; NaN where half_way_step() finds nothing.
double half_way(const std::vector<double>& x, const std::vector<double>& y, double chance);

}  // namespace moescope
