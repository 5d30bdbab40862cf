#pragma once
/// The innermost loops of the weight pass: all that is formed from one block of a weight's elements at C
/// checkpoints, compiled for several instruction sets and chosen at run time.
///
/// Counting, an increment in memory for each element, keeps the processor's store unit busy and its vector
/// units idle; sketches, step codes and inner products do the reverse. So some increments follow each step of
/// a vector loop, wherever they come from: neither waits for the other.
///
/// Every number is the same on every processor. Thread-safe on different sums and rooms.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "analysis/kernels/activations.h"
#include "analysis/kernels/inner_products.h"
#include "metrics/weights/bfloat16_steps.h"
#include "metrics/weights/weight_sketch.h"

namespace moescope {

/// Elements of a block: of a sketch's, and of a run of inner products.
inline constexpr std::size_t weight_block_elements = 1024;
/// Two steps are counted at once, by their codes (6 bits each).
inline constexpr std::size_t step_pairs = 64 * 64;

/// How one checkpoint stores a weight. What is read from it soon is asked for meanwhile: where one checkpoint
/// follows the other in turns, the processor does not foresee it.
struct BlockRow {
  bool is_bfloat16 = true;
  const std::byte* ahead = nullptr;
  std::size_t group_bytes = 0;  // of 16 elements
};

/// One block at C checkpoints, 64-byte aligned, with zeros behind the end of a weight.
struct WeightBlock {
  std::span<const BlockRow> rows;           // (C)
  const std::uint16_t* patterns = nullptr;  // (C, weight_block_elements): of what is bfloat16, as stored
  const float* floats = nullptr;            // (C, weight_block_elements): values; null where all are bfloat16
};

/// What a block is added to. No windows: no sketches; no histograms: nothing is counted.
struct BlockSums {
  float* windows = nullptr;             // (C, 2 sketch_size), 64-byte aligned: sketches, not yet folded
  std::uint32_t* histograms = nullptr;  // (C, bfloat16_patterns)
  std::uint32_t* steps = nullptr;       // (C-1, step_pairs): where both are bfloat16
  double* products = nullptr;           // lanes of <W_i, W_j>, see InnerProductSum
  double* step_products = nullptr;      // lanes of <D_i, D_j>, D_i = W_(i+1) - W_i
};

/// What add_block works with; of one thread.
struct BlockRoom {
  explicit BlockRoom(std::size_t checkpoints);

  /// Indices of counters that go up by one.
  struct Run {
    const std::uint16_t* indices = nullptr;
    std::size_t count = 0;
    std::uint32_t* counters = nullptr;
  };

  Aligned<std::uint16_t> codes;  // (C-1, weight_block_elements / 2)
  Aligned<double> steps;         // D_i of some elements, for (C-1)
  std::vector<Run> runs;
};

/// Adds one whole block. `signs`: of this block, if sketches are made.
void add_block(const WeightBlock& block, const SketchSigns& signs, const BlockSums& sums, BlockRoom& room);

/// Adds a window of blocks (2 sketch_size) to a sketch: what ran over the end of it goes on at the beginning.
/// The window is zero afterwards.
void fold_window(float* window, std::span<double> sums);

/// Adds what `pairs` (step_pairs) has counted.
void add_step_pairs(std::span<const std::uint32_t> pairs, Bfloat16Steps& steps);

}  // namespace moescope
