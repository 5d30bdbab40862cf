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

/// `count` elements, times one scale.
void expand_run(DType dtype, std::span<const std::byte> bytes, float scale, std::span<float> values) {
  if (dtype == DType::f8_e4m3) return expand_float8(bytes.data(), values.size(), scale, values.data());
  convert_to_float(dtype, bytes, values);
  for (float& value : values) value *= scale;
}

void expand_run(DType dtype, std::span<const std::byte> bytes, float scale, std::span<Bfloat16> values) {
  if (dtype == DType::f8_e4m3) return expand_float8(bytes.data(), values.size(), scale, values.data());
  constexpr std::size_t at_once = 64;  // of which any number fills whole bytes
  float floats[at_once];
  for (std::size_t done = 0; done < values.size(); done += at_once) {
    const std::size_t count = std::min(at_once, values.size() - done);
    expand_run(dtype, bytes.subspan(dtype_bytes(dtype, done), dtype_bytes(dtype, count)), scale,
               std::span(floats, count));
    std::transform(floats, floats + count, values.begin() + static_cast<std::ptrdiff_t>(done), upper_half);
  }
}

/// Run after run of elements that share a scale.
template <class Element>
void expand_blocks(DType dtype, std::span<const std::byte> bytes, const BlockScales& scales,
                   std::uint64_t first, std::span<Element> values) {
  std::size_t row = first / scales.columns, column = first % scales.columns;
  for (std::size_t done = 0; done < values.size();) {
    const std::size_t block = column / scales.block_columns;
    const std::size_t end = std::min((block + 1) * scales.block_columns, scales.columns);
    const std::size_t count = std::min(end - column, values.size() - done);
    const float scale = scales.values[row / scales.block_rows * scales.per_row + block];
    expand_run(dtype, bytes.subspan(dtype_bytes(dtype, done), dtype_bytes(dtype, count)), scale,
               values.subspan(done, count));
    done += count;
    row += end == scales.columns;
    column = end == scales.columns ? 0 : end;
  }
}

}  // namespace

BlockScales read_block_scales(const StoredScales& stored, std::uint64_t rows, std::uint64_t cols,
                              std::span<const std::byte> bytes) {
  BlockScales scales;
  scales.block_rows = stored.block_rows;
  scales.block_columns = stored.block_cols;
  scales.per_row = stored.cols_for(cols);
  scales.columns = cols;
  scales.values.resize(stored.rows_for(rows) * scales.per_row);
  convert_to_float(stored.dtype, bytes, scales.values);
  scales.fit_bfloat16 = std::ranges::all_of(scales.values, fits_bfloat16);
  return scales;
}

void convert_to_float(DType dtype, std::span<const std::byte> bytes, const BlockScales* scales,
                      std::uint64_t first, std::span<float> values) {
  if (scales == nullptr || scales->empty()) return convert_to_float(dtype, bytes, values);
  expand_blocks(dtype, bytes, *scales, first, values);
}

void convert_to_bfloat16(DType dtype, std::span<const std::byte> bytes, const BlockScales& scales,
                         std::uint64_t first, std::span<Bfloat16> values) {
  assert(scales.fit_bfloat16);
  expand_blocks(dtype, bytes, scales, first, values);
}

}  // namespace moescope
