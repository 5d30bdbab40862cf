#include "analysis/matrix_product.h"

#include <cassert>

#include "analysis/element_convert.h"
#include "analysis/parallel.h"

namespace moescope {
namespace {

/// Columns multiplied at a time: 16 KiB of one panel and 48 KiB of expanded weights fit the first two caches.
constexpr std::size_t column_block = 256;
/// Panels that share one expansion of the weights; their outputs (3 KiB each) wait in the second-level cache.
constexpr std::size_t panel_block = 64;

/// Working memory of one thread, kept from product to product.
struct Scratch {
  AlignedFloats weights = AlignedFloats(row_block * column_block);  // (row_block, column_block)
  AlignedFloats outputs =
      AlignedFloats(panel_block * row_block * panel_lanes);  // (panel_block, row_block, 16)
};

/// One task: the rows [row, row + rows) of the tile for the panels [panel, panel + panels).
struct Block {
  std::size_t row, rows, panel, panels;
};

void expand_weights(const WeightTile& tile, const Block& block, std::size_t column, std::size_t columns,
                    AlignedFloats& weights) {
  const std::size_t element = dtype_bits(tile.dtype) / 8;
  for (std::size_t r = 0; r < block.rows; ++r) {
    const std::size_t offset = ((block.row + r) * tile.columns + column) * element;
    convert_to_float(tile.dtype, tile.bytes.subspan(offset, columns * element),
                     {weights.data() + r * column_block, columns});
  }
}

void multiply_block(const WeightTile& tile, const TokenPanels& x, const Block& block, Scratch& scratch) {
  std::fill_n(scratch.outputs.begin(), block.panels * row_block * panel_lanes, 0.0f);
  for (std::size_t column = 0; column < tile.columns; column += column_block) {
    const std::size_t columns = std::min(column_block, tile.columns - column);
    expand_weights(tile, block, column, columns, scratch.weights);
    for (std::size_t p = 0; p < block.panels; ++p) {
      accumulate_product(scratch.weights.data(), column_block, block.rows, columns,
                         x.panel(block.panel + p) + column * panel_lanes,
                         scratch.outputs.data() + p * row_block * panel_lanes);
    }
  }
}

}  // namespace

void multiply(ThreadPool& threads, const WeightTile& tile, const TokenPanels& x, const ProductSink& sink) {
  assert(x.features == tile.columns);
  const std::size_t row_blocks = (tile.rows + row_block - 1) / row_block;
  const std::size_t panel_blocks = (x.panels() + panel_block - 1) / panel_block;
  threads.for_each(row_blocks * panel_blocks, [&](std::size_t task, unsigned) {
    Block block;
    block.row = task / panel_blocks * row_block;
    block.rows = std::min(row_block, tile.rows - block.row);
    block.panel = task % panel_blocks * panel_block;
    block.panels = std::min(panel_block, x.panels() - block.panel);
    thread_local Scratch scratch;
    float* outputs = scratch.outputs.data();
    multiply_block(tile, x, block, scratch);
    for (std::size_t p = 0; p < block.panels; ++p) {
      sink(block.panel + p, tile.first_row + block.row, block.rows, outputs + p * row_block * panel_lanes);
    }
  });
}

ProductSink store_rows(const TokenPanels& x, Matrix& y) {
  return [&x, &y](std::size_t panel, std::size_t first_row, std::size_t rows, const float* block) {
    for (std::size_t lane = 0; lane < x.lanes(panel); ++lane) {
      float* out = y.row(panel * panel_lanes + lane).data() + first_row;
      for (std::size_t r = 0; r < rows; ++r) out[r] = block[r * panel_lanes + lane];
    }
  };
}

ProductSink add_rows(const TokenPanels& x, Matrix& y) {
  return [&x, &y](std::size_t panel, std::size_t first_row, std::size_t rows, const float* block) {
    for (std::size_t lane = 0; lane < x.lanes(panel); ++lane) {
      float* out = y.row(panel * panel_lanes + lane).data() + first_row;
      for (std::size_t r = 0; r < rows; ++r) out[r] += block[r * panel_lanes + lane];
    }
  };
}

}  // namespace moescope
