#include "analysis/matrix_product.h"

#include <cassert>
#include <cstring>
#include <type_traits>

#include "analysis/element_convert.h"
#include "analysis/parallel.h"

namespace moescope {
namespace {

/// Rows and panels of one task. Few tokens: small tasks, so that threads end together. Many: more rows to
/// each load of activations. Outputs (192 KiB at most) and a block of weights wait in the second-level cache.
struct Blocking {
  std::size_t rows, panels;
};
constexpr Blocking few_tokens{row_block, 16}, many_tokens{4 * row_block, 16};

Blocking blocking(const TokenPanels& x) {
  return x.panels() > few_tokens.panels ? many_tokens : few_tokens;
}

/// Bytes of one row that are multiplied at a time.
constexpr std::size_t row_bytes = 512;
constexpr std::size_t cache_line = 64;
/// Rows that the kernels take at once, and panels so few that a group of rows may go over them by itself.
constexpr std::size_t tile_rows = 12, few_panels = 4;

template <class Element>
constexpr std::size_t column_block = row_bytes / sizeof(Element);

/// Working memory of one thread, kept from product to product.
struct Scratch {
  Aligned<Bfloat16> bfloat16_weights = Aligned<Bfloat16>(many_tokens.rows * column_block<Bfloat16>);
  AlignedFloats float_weights = AlignedFloats(many_tokens.rows * column_block<float>);
  AlignedFloats expanded = AlignedFloats(column_block<float> * panel_lanes);  // of one panel
  AlignedFloats outputs = AlignedFloats(many_tokens.panels * many_tokens.rows * panel_lanes);
};

/// One task: the rows [row, row + rows) of the tile for the panels [panel, panel + panels).
struct Block {
  std::size_t row = 0, rows = 0, panel = 0, panels = 0;
  std::size_t next_row = 0;  // of the task that this thread will probably take next
  std::size_t output_stride() const { return rows * panel_lanes; }  // outputs are (panels, rows, 16)
};

/// Asks for these bytes of some rows to come into the cache.
void prefetch(const WeightTile& tile, std::size_t row, std::size_t rows, std::size_t column) {
  const std::size_t element = dtype_bits(tile.dtype) / 8, last = tile.bytes.size();
  for (std::size_t r = row; r < row + rows; ++r) {
    const std::size_t begin = (r * tile.columns + column) * element;
    for (std::size_t at = begin; at < std::min(last, begin + row_bytes); at += cache_line) {
      __builtin_prefetch(tile.bytes.data() + at);
    }
  }
}

/// Copies a block of weights to where its rows lie side by side. In the tile they are often a power of two
/// apart, and would push each other out of the cache. Returns the number of columns.
template <class Element>
std::size_t load_weights(const WeightTile& tile, const Block& block, std::size_t column, Element* weights) {
  const std::size_t columns = std::min(column_block<Element>, tile.columns - column);
  const std::size_t element = dtype_bits(tile.dtype) / 8;
  for (std::size_t r = 0; r < block.rows; ++r) {
    const std::size_t offset = ((block.row + r) * tile.columns + column) * element;
    const auto bytes = tile.bytes.subspan(offset, columns * element);
    Element* row = weights + r * column_block<Element>;
    if constexpr (std::is_same_v<Element, Bfloat16>) {
      std::memcpy(row, bytes.data(), bytes.size());
    } else if (tile.dtype == DType::bf16) {
      expand_bfloat16(bytes.data(), columns, row);
    } else {
      convert_to_float(tile.dtype, bytes, {row, columns});
    }
  }
  return columns;
}

std::size_t block_tokens(const TokenPanels& x, const Block& block) {
  return std::min(block.panels * panel_lanes, x.tokens - block.panel * panel_lanes);
}

/// Multiplies one block of columns, in groups of rows; between them the weights that will be needed next are
/// asked for, a few at a time, so that memory and arithmetic work side by side.
template <class Element>
void multiply_columns(const WeightTile& tile, const TokenPanels& x, const Block& block, std::size_t column,
                      const Element* weights, const Element* activations, Scratch& scratch) {
  const std::size_t columns = std::min(column_block<Element>, tile.columns - column);
  const bool last = column + columns == tile.columns;
  const std::size_t next_row = last ? block.next_row : block.row, next_column = last ? 0 : column + columns;
  const std::size_t group = block.panels <= few_panels ? tile_rows : block.rows;
  for (std::size_t row = 0; row < block.rows; row += group) {
    const std::size_t rows = std::min(group, block.rows - row);
    prefetch(tile, next_row + row, rows, next_column);
    accumulate_product(weights + row * column_block<Element>, column_block<Element>, rows, columns,
                       activations, x.stride(), scratch.outputs.data() + row * panel_lanes,
                       block.output_stride(), block_tokens(x, block));
  }
}

void multiply_floats(const WeightTile& tile, const TokenPanels& x, const Block& block, Scratch& scratch) {
  float* weights = scratch.float_weights.data();
  for (std::size_t column = 0; column < tile.columns; column += column_block<float>) {
    load_weights(tile, block, column, weights);
    multiply_columns(tile, x, block, column, weights, x.float_panel(block.panel, column), scratch);
  }
}

void multiply_pairs(const WeightTile& tile, const TokenPanels& x, const Block& block, Scratch& scratch) {
  Bfloat16* weights = scratch.bfloat16_weights.data();
  for (std::size_t column = 0; column < tile.columns; column += column_block<Bfloat16>) {
    load_weights(tile, block, column, weights);
    multiply_columns(tile, x, block, column, weights, x.pair_panel(block.panel, column), scratch);
  }
}

/// Weights of another type than bfloat16: the activations are expanded to meet them.
void multiply_expanded_pairs(const WeightTile& tile, const TokenPanels& x, const Block& block,
                             Scratch& scratch) {
  float* weights = scratch.float_weights.data();
  for (std::size_t column = 0; column < tile.columns; column += column_block<float>) {
    const std::size_t columns = load_weights(tile, block, column, weights);
    for (std::size_t p = 0; p < block.panels; ++p) {
      expand_panel(x.pair_panel(block.panel + p, column), columns, scratch.expanded.data());
      accumulate_product(weights, column_block<float>, block.rows, columns, scratch.expanded.data(), 0,
                         scratch.outputs.data() + p * block.output_stride(), 0, panel_lanes);
    }
  }
}

void multiply_block(const WeightTile& tile, const TokenPanels& x, const Block& block, Scratch& scratch) {
  std::fill_n(scratch.outputs.begin(), block.panels * block.output_stride(), 0.0f);
  if (!x.paired()) {
    multiply_floats(tile, x, block, scratch);
  } else if (tile.dtype == DType::bf16) {
    multiply_pairs(tile, x, block, scratch);
  } else {
    multiply_expanded_pairs(tile, x, block, scratch);
  }
}

}  // namespace

void multiply(ThreadPool& threads, const WeightTile& tile, const TokenPanels& x, const ProductSink& sink) {
  assert(x.features == tile.columns);
  const Blocking size = blocking(x);
  const std::size_t row_blocks = (tile.rows + size.rows - 1) / size.rows;
  const std::size_t panel_blocks = (x.panels() + size.panels - 1) / size.panels;
  threads.for_each(row_blocks * panel_blocks, [&](std::size_t task, unsigned) {
    Block block;
    block.row = task / panel_blocks * size.rows;
    block.rows = std::min(size.rows, tile.rows - block.row);
    block.next_row = std::min(block.row + threads.threads() * size.rows, tile.rows);
    block.panel = task % panel_blocks * size.panels;
    block.panels = std::min(size.panels, x.panels() - block.panel);
    thread_local Scratch scratch;
    multiply_block(tile, x, block, scratch);
    for (std::size_t p = 0; p < block.panels; ++p) {
      float* outputs = scratch.outputs.data() + p * block.output_stride();
      for (std::size_t row = 0; row < block.rows; row += row_block) {
        sink(block.panel + p, tile.first_row + block.row + row, std::min(row_block, block.rows - row),
             outputs + row * panel_lanes);
      }
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
