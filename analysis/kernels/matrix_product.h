#pragma once
/// Weights times activations, for one tile of a weight matrix as it lies in its shard.

#include <cstddef>
#include <functional>
#include <span>

#include "analysis/kernels/activations.h"
#include "analysis/kernels/block_scales.h"
#include "readers/storage/dtype.h"

namespace moescope {

class ThreadPool;

/// Some rows of a weight matrix: (rows, columns) elements, row-major, in their stored type.
struct WeightTile {
  DType dtype = DType::bf16;
  std::size_t first_row = 0;  // in the whole matrix
  std::size_t rows = 0, columns = 0;
  std::span<const std::byte> bytes;
  const BlockScales* scales = nullptr;  // of the whole matrix, where it is quantised
  bool transposed = false;              // the bytes are (columns, rows), and the tile is the whole matrix
};

/// The tile's elements (rows, columns) as the weights that they are.
void convert_to_float(const WeightTile& tile, std::span<float> values);

/// Outputs are produced in blocks of this many rows (the last of a tile may be smaller).
inline constexpr std::size_t row_block = 24;

/// Receives a finished block: y (rows, 16) holds, for the 16 tokens of `panel`, the outputs `first_row`,
/// first_row + 1 … of the whole matrix. Called once for each block and panel, from any thread; it may change
/// y.
using ProductSink = std::function<void(std::size_t panel, std::size_t first_row, std::size_t rows, float* y)>;

/// y = tile x. Every output is one chain of fused multiply-adds over the columns (see product_kernels.h), so
/// its bytes do not depend on the number of threads, on the tile or on the other tokens. Weights are used
/// where they lie, by way of 9 KiB in the first-level cache. x.features == tile.columns.
void multiply(ThreadPool& threads, const WeightTile& tile, const TokenPanels& x, const ProductSink& sink);

/// A finished block y (rows, 16), of at most row_block rows, token by token.
class TokenOutputs {
 public:
  TokenOutputs(const float* y, std::size_t rows);
  /// (rows) of one token.
  const float* of(std::size_t lane) const { return values_ + lane * row_block; }

 private:
  float values_[panel_lanes * row_block];
};

/// A sink that stores token-major: y.row(token)[first_row + r].
ProductSink store_rows(const TokenPanels& x, Matrix& y);
/// The same, but adding.
ProductSink add_rows(const TokenPanels& x, Matrix& y);

}  // namespace moescope
