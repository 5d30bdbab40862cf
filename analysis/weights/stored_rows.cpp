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
  return read_block_scales(weight, bytes);
}

}  // namespace

void read_rows(const Checkpoint& checkpoint, const Weight& weight, std::uint64_t first_row,
               std::span<float> values) {
  constexpr std::uint64_t piece = 1 << 20;  // elements
  assert(values.size() % weight.cols == 0 && first_row + values.size() / weight.cols <= weight.rows);
  const SourceFile& shard = checkpoint.shards()[weight.shard];
  const bool forget = outgrows_page_cache(checkpoint.bytes());
  const std::uint64_t width = dtype_bits(weight.dtype) / 8;
  const BlockScales scales = scales_of(checkpoint, weight);
  std::vector<std::byte> bytes;
  for (std::uint64_t done = 0; done < values.size(); done += piece) {
    const std::uint64_t count = std::min(piece, values.size() - done);
    const std::uint64_t offset = weight.offset + (first_row * weight.cols + done) * width;
    bytes.resize(count * width);
    shard.read(offset, bytes);
    if (forget) shard.forget(offset, bytes.size());
    convert_to_float(weight.dtype, bytes, &scales, first_row * weight.cols + done,
                     values.subspan(done, count));
  }
}

}  // namespace moescope
