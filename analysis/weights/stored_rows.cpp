#include "analysis/weights/stored_rows.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "analysis/kernels/block_scales.h"
#include "analysis/kernels/element_convert.h"
#include "analysis/machine/memory.h"

namespace moescope {
namespace {

BlockScales scales_of(const Checkpoint& checkpoint, const Weight& weight) {
  if (!weight.scales) return {};
  std::vector<std::byte> bytes(weight.scale_bytes());
  checkpoint.shards()[weight.scales->shard].read(weight.scales->offset, bytes);
  return read_block_scales(*weight.scales, weight.rows, weight.cols, bytes);
}

/// Of a matrix that lies column by column: all columns are read, a few MiB at a time.
void read_transposed_rows(const Checkpoint& checkpoint, const Weight& weight, std::uint64_t first_row,
                          std::span<float> values) {
  const SourceFile& shard = checkpoint.shards()[weight.shard];
  const std::uint64_t width = dtype_bytes(weight.dtype, 1), rows = values.size() / weight.cols;
  const std::uint64_t at_once = std::max<std::uint64_t>(1, (std::uint64_t{1} << 20) / weight.rows);
  std::vector<std::byte> bytes;
  std::vector<float> columns;
  for (std::uint64_t first = 0; first < weight.cols; first += at_once) {
    const std::uint64_t count = std::min(at_once, weight.cols - first);
    bytes.resize(count * weight.rows * width);
    columns.resize(count * weight.rows);
    shard.read(weight.offset + first * weight.rows * width, bytes);
    convert_to_float(weight.dtype, bytes, columns);
    for (std::uint64_t c = 0; c < count; ++c) {
      for (std::uint64_t r = 0; r < rows; ++r)
        values[r * weight.cols + first + c] = columns[c * weight.rows + first_row + r];
    }
  }
}

}  // namespace

void read_rows(const Checkpoint& checkpoint, const Weight& weight, std::uint64_t first_row,
               std::span<float> values) {
  if (weight.transposed) return read_transposed_rows(checkpoint, weight, first_row, values);
  constexpr std::uint64_t piece = 1 << 20;  // elements
  assert(values.size() % weight.cols == 0 && first_row + values.size() / weight.cols <= weight.rows);
  const SourceFile& shard = checkpoint.shards()[weight.shard];
  const bool forget = outgrows_page_cache(checkpoint.bytes());
  const BlockScales scales = scales_of(checkpoint, weight);
  std::vector<std::byte> bytes;
  for (std::uint64_t done = 0; done < values.size(); done += piece) {
    const std::uint64_t count = std::min(piece, values.size() - done);
    const std::uint64_t offset = weight.offset + dtype_bytes(weight.dtype, first_row * weight.cols + done);
    bytes.resize(dtype_bytes(weight.dtype, count));
    shard.read(offset, bytes);
    if (forget) shard.forget(offset, bytes.size());
    convert_to_float(weight.dtype, bytes, &scales, first_row * weight.cols + done,
                     values.subspan(done, count));
  }
}

}  // namespace moescope
