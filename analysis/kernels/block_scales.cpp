#include "analysis/kernels/block_scales.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "analysis/kernels/element_convert.h"

namespace moescope {
namespace {

/// Its products are neither rounded nor out of bfloat16's normal range.
bool fits_bfloat16(float scale) {
  const bool has_four_bits = (std::bit_cast<std::uint32_t>(scale) & 0x000fffffu) == 0;
  return has_four_bits && std::fabs(scale) > 0x1p-100f && std::fabs(scale) < 0x1p100f;
}

}  // namespace

BlockScales read_block_scales(const StoredScales& stored, std::uint64_t rows, std::uint64_t cols,
                              std::span<const std::byte> bytes) {
  BlockScales scales;
  scales.block_rows = stored.block_rows;
  scales.block_columns = stored.block_cols;
  scales.per_row = (cols - 1) / stored.block_cols + 1;
  scales.columns = cols;
  scales.values.resize(((rows - 1) / stored.block_rows + 1) * scales.per_row);
  convert_to_float(stored.dtype, bytes, scales.values);
  scales.fit_bfloat16 = std::ranges::all_of(scales.values, fits_bfloat16);
  return scales;
}

void scale_elements(const BlockScales& scales, std::uint64_t first, std::span<float> values) {
  if (scales.empty()) return;
  for (std::size_t done = 0; done < values.size();) {
    const std::size_t row = (first + done) / scales.columns, column = (first + done) % scales.columns;
    const std::size_t block = column / scales.block_columns;
    const std::size_t end = std::min((block + 1) * scales.block_columns, scales.columns);
    const float scale = scales.values[row / scales.block_rows * scales.per_row + block];
    const std::size_t count = std::min(end - column, values.size() - done);
    for (float& value : values.subspan(done, count)) value *= scale;
    done += count;
  }
}

}  // namespace moescope
