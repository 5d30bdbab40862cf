#pragma once
/// Tokens between rows of a matrix and lanes of a panel, compiled for several instruction sets and chosen at
/// run time. Nothing is computed: numbers keep their bytes.
///
/// Thread-safe: pure functions of their arguments. Panels are 64-byte aligned, rows lie anywhere.

#include <array>
#include <cstddef>

#include "analysis/kernels/product_kernels.h"

namespace moescope {

/// Where the values of each of a panel's tokens begin; null where a lane holds no token.
template <class Value>
using LaneRows = std::array<Value*, panel_lanes>;

/// panel (count, 16): the `count` values of each row in its lane, zeros in a lane without one.
void rows_to_panel(const LaneRows<const float>& rows, std::size_t count, float* panel);

/// The lanes of panel (count, 16) to their rows; those without one are left out.
void panel_to_rows(const float* panel, std::size_t count, const LaneRows<float>& rows);

}  // namespace moescope
