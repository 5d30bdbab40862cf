#pragma once
/// Where the features of attention's heads lie in a token's row of projections.

#include <cstddef>
#include <span>

#include "analysis/kernels/activations.h"

namespace moescope {

/// Heads in groups: each group's `stride` features have, from `first` on, its `group` heads of `size` each.
struct HeadSlice {
  std::size_t stride = 0, first = 0, size = 0, group = 1;

  /// Of a head's first feature.
  std::size_t place(std::size_t head) const { return head / group * stride + first + head % group * size; }
  std::span<const float> of(const Matrix& x, std::size_t row, std::size_t head) const {
    return x.row(row).subspan(place(head), size);
  }
};

}  // namespace moescope
