#pragma once
/// Scales of a quantised matrix, one for each block of its elements.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "analysis/kernels/product_kernels.h"
#include "readers/storage/stored_scales.h"

namespace moescope {

struct BlockScales {
  std::vector<float> values;  // (blocks below one another, per_row)
  std::size_t block_rows = 1, block_columns = 1;
  std::size_t per_row = 0;  // blocks beside one another
  std::size_t columns = 0;  // of the matrix
  /// Whether every product of a stored number and its scale is a bfloat16 number: E4M3 has four significant
  /// bits, so that scales of four more, as powers of two are, leave eight.
  bool fit_bfloat16 = false;

  bool empty() const { return values.empty(); }
};

/// Of a matrix (rows, cols), from the scales' bytes as stored.
BlockScales read_block_scales(const StoredScales& stored, std::uint64_t rows, std::uint64_t cols,
                              std::span<const std::byte> bytes);

/// Expands elements [first, first + values.size()) of a matrix, row-major, from their `bytes`, each
/// multiplied by the scale of its block; the product is rounded to float32. Without scales, null or empty,
/// they are what is stored. Thread-safe.
void convert_to_float(DType dtype, std::span<const std::byte> bytes, const BlockScales* scales,
                      std::uint64_t first, std::span<float> values);
/// The same of elements whose scales fit bfloat16.
void convert_to_bfloat16(DType dtype, std::span<const std::byte> bytes, const BlockScales& scales,
                         std::uint64_t first, std::span<Bfloat16> values);

}  // namespace moescope
