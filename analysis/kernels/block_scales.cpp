#include "analysis/kernels/block_scales.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>

#include "analysis/kernels/element_convert.h"

namespace moescope {
namespace {

/// Its products are neither rounded nor out of bfloat16's normal range.
bool fits_bfloat16(float scale) {
  const bool has_four_bits = (std::bit_cast<std::uint32_t>(scale) & 0x000fffffu) == 0;
  return has_four_bits && std::fabs(scale) > 0x1p-100f && std::fabs(scale) < 0x1p100f;
}

/// Run after run of elements that share a scale.
template <class Element>
void expand_blocks(std::span<const std::byte> bytes, const BlockScales& scales, std::uint64_t first,
                   std::span<Element> values) {
  assert(bytes.size() == values.size());
  std::size_t row = first / scales.columns, column = first % scales.columns;
  for (std::size_t done = 0; done < values.size();) {
    const std::size_t block = column / scales.block_columns;
    const std::size_t end = std::min((block + 1) * scales.block_columns, scales.columns);
    const std::size_t count = std::min(end - column, values.size() - done);
    const float scale = scales.values[row / scales.block_rows * scales.per_row + block];
    expand_float8(bytes.data() + done, count, scale, values.data() + done);
    done += count;
    row += end == scales.columns;
    column = end == scales.columns ? 0 : end;
  }
}

}  // namespace

BlockScales read_block_scales(const Weight& weight, std::span<const std::byte> bytes) {
  const StoredScales& stored = *weight.scales;
  BlockScales scales;
  scales.values.resize(weight.scale_rows() * weight.scale_cols());
  convert_to_float(stored.dtype, bytes, scales.values);
  scales.block_rows = stored.block_rows;
  scales.block_columns = stored.block_cols;
  scales.per_row = weight.scale_cols();
  scales.columns = weight.cols;
  scales.fit_bfloat16 = std::ranges::all_of(scales.values, fits_bfloat16);
  return scales;
}

void convert_to_float(DType dtype, std::span<const std::byte> bytes, const BlockScales* scales,
                      std::uint64_t first, std::span<float> values) {
  if (scales == nullptr || scales->empty()) return convert_to_float(dtype, bytes, values);
  assert(dtype == DType::f8_e4m3);
  expand_blocks(bytes, *scales, first, values);
}

void convert_to_bfloat16(std::span<const std::byte> bytes, const BlockScales& scales, std::uint64_t first,
                         std::span<Bfloat16> values) {
  assert(scales.fit_bfloat16);
  expand_blocks(bytes, scales, first, values);
}

}  // namespace moescope
