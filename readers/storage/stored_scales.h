#pragma once
/// The scales that are stored beside a quantised matrix.

#include <cstddef>
#include <cstdint>

#include "readers/storage/dtype.h"

namespace moescope {

/// Where the scales of a quantised weight lie: element (r, c) is the stored number times scale
/// (r / block_rows, c / block_cols). They are row-major, too, and the last blocks may be partial.
struct StoredScales {
  DType dtype = DType::f32;
  std::uint64_t block_rows = 1, block_cols = 1;
  std::size_t shard = 0;
  std::uint64_t offset = 0;  // of the first byte in the shard's file

  /// Scales below one another for a matrix of so many rows, and beside one another for so many columns.
  std::uint64_t rows_for(std::uint64_t rows) const { return (rows - 1) / block_rows + 1; }
  std::uint64_t cols_for(std::uint64_t cols) const { return (cols - 1) / block_cols + 1; }
};

/// Of E2M1 numbers: a power of two for each 32 of a row (OCP Microscaling Formats 1.0, MXFP4).
inline constexpr std::uint64_t mxfp4_block = 32;
inline constexpr StoredScales mxfp4_scales{.dtype = DType::f8_e8m0, .block_cols = mxfp4_block};

}  // namespace moescope
