#include "analysis/kernels/matrix_product.h"

#include <cassert>
#include <cstring>
#include <utility>

#include "analysis/kernels/element_convert.h"
#include "analysis/kernels/panel_rows.h"
#include "analysis/machine/parallel.h"

namespace moescope {
namespace {

/// Rows and panels of one task, at most: their outputs (180 KiB) and a block of the activations (144 KiB)
/// wait in the second-level cache.
constexpr std::size_t task_rows = 10 * row_block, task_panels = 12;
static_assert(panel_features % row_block == 0, "a block of outputs is stored in one block of features");

/// Where the rows of each task begin, and the end: large tasks first, which load less, then smaller ones, so
/// that threads end together (guided self-scheduling, Polychronopoulos and Kuck 1987). Each is a task for
/// every block of panels.
std::vector<std::size_t> divide_rows(std::size_t rows, std::size_t panel_blocks, std::size_t threads) {
  std::vector<std::size_t> begin{0};
  while (begin.back() < rows) {
    const std::size_t left = rows - begin.back(), fair = left * panel_blocks / (2 * threads);
    const std::size_t blocks =
        std::clamp<std::size_t>((fair + row_block - 1) / row_block, 1, task_rows / row_block);
    begin.push_back(std::min(rows, begin.back() + blocks * row_block));
  }
  return begin;
}

/// Columns and rows of the weights that are multiplied at a time, from the first-level cache.
constexpr std::size_t column_block = panel_features, group_rows = 12;

/// Working memory of one thread, kept from product to product.
struct Scratch {
  Aligned<Bfloat16> bfloat16_weights = Aligned<Bfloat16>(group_rows * column_block);
  AlignedFloats float_weights = AlignedFloats(group_rows * column_block);
  AlignedFloats expanded = AlignedFloats(task_panels * column_block * panel_lanes);  // activations
  AlignedFloats outputs = AlignedFloats(task_panels * task_rows * panel_lanes);
};

/// One task: the rows [row, row + rows) of the tile for the panels [panel, panel + panels).
struct Block {
  std::size_t row = 0, rows = 0, panel = 0, panels = 0;
  std::size_t next_row = 0;  // of the task that this thread will probably take next
  std::size_t output_stride() const { return rows * panel_lanes; }  // outputs are (panels, rows, 16)
};

/// Some rows of a block of columns, multiplied at once.
struct Group {
  std::size_t row, rows, column, columns;
};

/// Asks for these weights to come into the cache.
void prefetch(const WeightTile& tile, const Group& group) {
  if (tile.transposed) return;
  const std::size_t bytes = dtype_bytes(tile.dtype, group.columns);
  for (std::size_t r = group.row; r < std::min(group.row + group.rows, tile.rows); ++r) {
    const std::byte* begin = tile.bytes.data() + dtype_bytes(tile.dtype, r * tile.columns + group.column);
    for (const std::byte* at = begin; at < begin + bytes; at += cache_line) __builtin_prefetch(at);
  }
}

void store_weight(float value, float& weight) {
  weight = value;
}
void store_weight(float value, Bfloat16& weight) {
  weight = upper_half(value);
}

/// Weights of a transposed tile: those of the group's rows lie side by side.
template <class Element>
void load_transposed(const WeightTile& tile, const Group& group, Element* weights) {
  const std::size_t element = dtype_bytes(tile.dtype, 1);
  float together[group_rows];
  for (std::size_t c = 0; c < group.columns; ++c) {
    const std::size_t first = (group.column + c) * tile.rows + group.row;
    convert_to_float(tile.dtype, tile.bytes.subspan(first * element, group.rows * element),
                     {together, group.rows});
    for (std::size_t r = 0; r < group.rows; ++r) store_weight(together[r], weights[r * column_block + c]);
  }
}

/// Copies a group of weights to where its rows lie side by side. In the tile they are often a power of two
/// apart, and would push each other out of the cache.
void copy_weights(const WeightTile& tile, const Group& group, Bfloat16* weights) {
  for (std::size_t r = 0; r < group.rows; ++r) {
    std::memcpy(weights + r * column_block,
                tile.bytes.data() + ((group.row + r) * tile.columns + group.column) * sizeof *weights,
                group.columns * sizeof *weights);
  }
}

/// Where a row of the group begins in the whole matrix.
std::uint64_t first_element(const WeightTile& tile, const Group& group, std::size_t row) {
  return (tile.first_row + group.row + row) * tile.columns + group.column;
}

/// The same, expanded to float32, and scaled where they are quantised.
void load_weights(const WeightTile& tile, const Group& group, float* weights) {
  if (tile.transposed) return load_transposed(tile, group, weights);
  const std::size_t row_bytes = dtype_bytes(tile.dtype, tile.columns);
  const std::size_t offset = group.row * row_bytes + dtype_bytes(tile.dtype, group.column);
  if (tile.dtype == DType::bf16) {
    return expand_bfloat16(tile.bytes.data() + offset, row_bytes, group.rows, group.columns, weights,
                           column_block);
  }
  for (std::size_t r = 0; r < group.rows; ++r) {
    convert_to_float(
        tile.dtype, tile.bytes.subspan(offset + r * row_bytes, dtype_bytes(tile.dtype, group.columns)),
        tile.scales, first_element(tile, group, r), std::span(weights + r * column_block, group.columns));
  }
}

/// As bfloat16 numbers, which they are: see is_bfloat16.
void load_weights(const WeightTile& tile, const Group& group, Bfloat16* weights) {
  if (tile.transposed) return load_transposed(tile, group, weights);
  if (tile.dtype == DType::bf16) return copy_weights(tile, group, weights);
  const std::size_t bytes = dtype_bytes(tile.dtype, group.columns);
  for (std::size_t r = 0; r < group.rows; ++r) {
    const std::size_t offset = (group.row + r) * tile.columns + group.column;
    convert_to_bfloat16(tile.dtype, tile.bytes.subspan(dtype_bytes(tile.dtype, offset), bytes), *tile.scales,
                        first_element(tile, group, r), std::span(weights + r * column_block, group.columns));
  }
}

/// Whether the weights are bfloat16 numbers, in whatever type they are stored.
bool is_bfloat16(const WeightTile& tile) {
  return tile.dtype == DType::bf16 || (tile.scales != nullptr && tile.scales->fit_bfloat16);
}

/// Multiplies one block of columns, in groups of rows. Each time the weights that the same rows will need for
/// the next block are asked for, so that memory and arithmetic work side by side.
template <class Element>
void multiply_columns(const WeightTile& tile, const TokenPanels& x, const Block& block, std::size_t column,
                      Element* weights, const Element* activations, std::size_t stride, Scratch& scratch) {
  const std::size_t columns = std::min(column_block, tile.columns - column);
  const bool last = column + columns == tile.columns;
  const std::size_t tokens = std::min(block.panels * panel_lanes, x.tokens - block.panel * panel_lanes);
  for (std::size_t row = 0; row < block.rows; row += group_rows) {
    const std::size_t rows = std::min(group_rows, block.rows - row);
    load_weights(tile, {block.row + row, rows, column, columns}, weights);
    prefetch(tile, {(last ? block.next_row : block.row) + row, rows, last ? 0 : column + columns, columns});
    accumulate_product(
        weights, column_block, rows, columns,
        {activations, stride, scratch.outputs.data() + row * panel_lanes, block.output_stride()}, tokens);
  }
}

void multiply_block(const WeightTile& tile, const TokenPanels& x, const Block& block, Scratch& scratch) {
  std::fill_n(scratch.outputs.begin(), block.panels * block.output_stride(), 0.0f);
  for (std::size_t column = 0; column < tile.columns; column += column_block) {
    if (!x.paired()) {
      multiply_columns(tile, x, block, column, scratch.float_weights.data(),
                       x.float_panel(block.panel, column), x.stride(column), scratch);
    } else if (is_bfloat16(tile)) {
      multiply_columns(tile, x, block, column, scratch.bfloat16_weights.data(),
                       x.pair_panel(block.panel, column), x.stride(column), scratch);
    } else {  // the activations are expanded to meet weights of another type
      const std::size_t columns = std::min(column_block, tile.columns - column),
                        stride = column_block * panel_lanes;
      for (std::size_t p = 0; p < block.panels; ++p) {
        expand_panel(x.pair_panel(block.panel + p, column), columns, scratch.expanded.data() + p * stride);
      }
      multiply_columns(tile, x, block, column, scratch.float_weights.data(),
                       std::as_const(scratch.expanded).data(), stride, scratch);
    }
  }
}

}  // namespace

void convert_to_float(const WeightTile& tile, std::span<float> values) {
  convert_to_float(tile.dtype, tile.bytes, tile.scales, tile.first_row * tile.columns, values);
}

void multiply(ThreadPool& threads, const WeightTile& tile, const TokenPanels& x, const ProductSink& sink) {
  assert(x.features == tile.columns);
  const std::size_t panel_blocks = (x.panels() + task_panels - 1) / task_panels;
  const std::vector<std::size_t> rows = divide_rows(tile.rows, panel_blocks, threads.threads());
  const std::size_t row_blocks = rows.size() - 1;
  threads.for_each(row_blocks * panel_blocks, [&](std::size_t task, unsigned) {
    Block block;
    const std::size_t row_task = task / panel_blocks;
    block.row = rows[row_task];
    block.rows = rows[row_task + 1] - block.row;
    block.next_row = rows[std::min<std::size_t>(row_task + threads.threads(), row_blocks)];
    block.panel = task % panel_blocks * task_panels;
    block.panels = std::min(task_panels, x.panels() - block.panel);
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

TokenOutputs::TokenOutputs(const float* y, std::size_t rows) {
  LaneRows<float> lanes;
  for (std::size_t lane = 0; lane < panel_lanes; ++lane) lanes[lane] = values_ + lane * row_block;
  panel_to_rows(y, rows, lanes);
}

ProductSink store_rows(const TokenPanels& x, Matrix& y) {
  return [&x, &y](std::size_t panel, std::size_t first_row, std::size_t rows, const float* block) {
    LaneRows<float> lanes{};
    for (std::size_t lane = 0; lane < x.lanes(panel); ++lane)
      lanes[lane] = y.row(panel * panel_lanes + lane).data() + first_row;
    panel_to_rows(block, rows, lanes);
  };
}

ProductSink add_rows(const TokenPanels& x, Matrix& y) {
  return [&x, &y](std::size_t panel, std::size_t first_row, std::size_t rows, const float* block) {
    const TokenOutputs outputs(block, rows);
    for (std::size_t lane = 0; lane < x.lanes(panel); ++lane) {
      float* out = y.row(panel * panel_lanes + lane).data() + first_row;
      for (std::size_t r = 0; r < rows; ++r) out[r] += outputs.of(lane)[r];
    }
  };
}

}  // namespace moescope
