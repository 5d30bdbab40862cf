#include "analysis/weights/stored_rows.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "analysis/kernels/block_scales.h"
#include "analysis/kernels/element_convert.h"
#include "analysis/kernels/transpose.h"
#include "analysis/machine/memory.h"

namespace moescope {
namespace {

BlockScales scales_of(const Checkpoint& checkpoint, const Weight& weight) {
  if (!weight.scales) return {};
  std::vector<std::byte> bytes(weight.scale_bytes());
  checkpoint.shards()[weight.scales->shard].read(weight.scales->offset, bytes);
  return read_block_scales(*weight.scales, weight.rows, weight.cols, bytes);
}

constexpr std::uint64_t piece_elements = 1 << 20;

/// Calls use(bytes, first element, elements) for elements [first, first + count), as they lie in the file, a
/// few MiB at a time.
template <class Use>
void for_each_piece(const Checkpoint& checkpoint, const Weight& weight, std::uint64_t first,
                    std::uint64_t count, const Use& use) {
  const SourceFile& shard = checkpoint.shards()[weight.shard];
  const bool forget = outgrows_page_cache(checkpoint.bytes());
  std::vector<std::byte> bytes;
  for (std::uint64_t done = 0; done < count; done += piece_elements) {
    const std::uint64_t elements = std::min(piece_elements, count - done);
    const std::uint64_t offset = weight.offset + dtype_bytes(weight.dtype, first + done);
    bytes.resize(dtype_bytes(weight.dtype, elements));
    shard.read(offset, bytes);
    if (forget) shard.forget(offset, bytes.size());
    use(bytes, first + done, elements);
  }
}

TransposedPiece piece_of(const Weight& weight, std::span<const std::byte> bytes, std::uint64_t first,
                         std::size_t width) {
  return {bytes, first, weight.rows, weight.cols, width};
}

/// Elements of a matrix that is stored transposed, as stored, in the order of rows.
std::vector<std::byte> read_in_order(const Checkpoint& checkpoint, const Weight& weight) {
  std::vector<std::byte> matrix(weight.bytes());
  const std::size_t width = dtype_bytes(weight.dtype, 1);
  for_each_piece(checkpoint, weight, 0, weight.size(),
                 [&](std::span<const std::byte> bytes, std::uint64_t first, std::uint64_t) {
                   put_rows(piece_of(weight, bytes, first, width), 0, weight.rows, matrix);
                 });
  return matrix;
}

void read_transposed(const Checkpoint& checkpoint, const Weight& weight, std::span<float> values) {
  std::vector<float> columns;
  for_each_piece(checkpoint, weight, 0, weight.size(),
                 [&](std::span<const std::byte> bytes, std::uint64_t first, std::uint64_t count) {
                   columns.resize(count);
                   convert_to_float(weight.dtype, bytes, columns);
                   put_rows(piece_of(weight, std::as_bytes(std::span(columns)), first, sizeof(float)), 0,
                            weight.rows, std::as_writable_bytes(values));
                 });
}

/// Of a weight that is stored row by row.
void read_rows(const Checkpoint& checkpoint, const Weight& weight, std::uint64_t first_row,
               std::span<float> values) {
  const BlockScales scales = scales_of(checkpoint, weight);
  const std::uint64_t begin = first_row * weight.cols;
  for_each_piece(checkpoint, weight, begin, values.size(),
                 [&](std::span<const std::byte> bytes, std::uint64_t first, std::uint64_t count) {
                   convert_to_float(weight.dtype, bytes, &scales, first,
                                    values.subspan(first - begin, count));
                 });
}

}  // namespace

void read_weight(const Checkpoint& checkpoint, const Weight& weight, std::span<float> values) {
  assert(values.size() == weight.size());
  weight.transposed ? read_transposed(checkpoint, weight, values) : read_rows(checkpoint, weight, 0, values);
}

void StoredRows::read(std::uint64_t first_row, std::span<float> values) {
  assert(values.size() % weight_.cols == 0 && first_row + values.size() / weight_.cols <= weight_.rows);
  if (!weight_.transposed) return read_rows(checkpoint_, weight_, first_row, values);
  if (matrix_.empty()) matrix_ = read_in_order(checkpoint_, weight_);
  const std::uint64_t row_bytes = weight_.row_bytes(), rows = values.size() / weight_.cols;
  convert_to_float(weight_.dtype, std::span(matrix_).subspan(first_row * row_bytes, rows * row_bytes),
                   values);
}

}  // namespace moescope
