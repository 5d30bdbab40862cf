#pragma once
/// One weight at all checkpoints of a series: everything that the weight pass forms from its elements, in one
/// go over them.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "analysis/kernels/block_scales.h"
#include "analysis/kernels/inner_products.h"
#include "analysis/machine/parallel.h"
#include "analysis/weights/weight_block.h"
#include "metrics/weights/bfloat16_histogram.h"
#include "metrics/weights/bfloat16_steps.h"
#include "metrics/weights/weight_drift.h"
#include "metrics/weights/weight_sketch.h"
#include "metrics/weights/weight_stats.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/model/weight.h"
#include "readers/storage/dtype.h"

namespace moescope {

/// One weight at C checkpoints.
struct WeightTrajectory {
  std::size_t index = 0;           // in ModelWeights::all()
  const Weight* weight = nullptr;  // as the first checkpoint stores it
  /// Those of a checkpoint with a non-finite element are NaN or infinite, those of the steps to it and from
  /// it NaN; the distances of all others are known, from the steps or, across it, as squared_distance.
  WeightInnerProducts products;
  std::vector<WeightStats> stats;  // (C); non-finite elements counted and left out
  /// (C); empty histograms where it is not stored as BF16. Valid until the next weight begins.
  std::span<const Bfloat16Histogram> histograms;
  std::vector<Bfloat16Steps> steps;    // (C-1), from each checkpoint to the next; empty unless both are BF16
  std::vector<WeightSketch> sketches;  // (C); empty where none are made
};

/// Elements as one checkpoint stores them.
struct StoredElements {
  DType dtype = DType::bf16;
  std::span<const std::byte> bytes;
  const BlockScales* scales = nullptr;  // where they are quantised
  std::uint64_t first = 0;              // of these elements, in the weight
};

/// Adds up one weight after the other. Stored elements are expanded to float exactly, and
/// scaled where they are quantised; D_i = W_(i+1) - W_i and
/// all products are doubles. The numbers depend on the elements alone, not on the threads of `pool` or on how
/// a weight is cut.
class WeightTrajectorySum {
 public:
  /// `pool` must outlive this. `sketches`: whether to make them.
  WeightTrajectorySum(std::size_t checkpoints, ThreadPool& pool, bool sketches = true);
  /// Peak memory for weights of at most `elements`.
  static std::uint64_t bytes(std::size_t checkpoints, unsigned threads, std::uint64_t elements);

  /// Elements are added in pieces of a multiple of this, except for the last one. Fixed, because partial sums
  /// are rounded once a task.
  static constexpr std::uint64_t task_elements = sketch_window;

  /// Forgets the weight before. `sketch_key` seeds the sketches.
  void begin(std::uint64_t sketch_key);
  /// The next `count` elements, the same ones of every checkpoint (C).
  void add(std::span<const StoredElements> elements, std::uint64_t count);
  /// Of all elements since begin(); `index` and `weight` are left to the caller.
  WeightTrajectory result();

 private:
  /// Elements of a piece, and the number of their first block in the weight.
  struct Range {
    std::uint64_t first = 0, count = 0, block = 0;
  };
  /// What one task adds, in an order that is kept.
  struct Partial {
    InnerProductSum values, deltas;
    std::vector<WeightStatsSum> stats;   // (C), where it is not stored as BF16
    std::vector<WeightSketch> sketches;  // (C), or none
  };
  /// What one thread counts, in any order; and its buffers.
  struct Worker {
    explicit Worker(std::size_t checkpoints);

    Aligned<std::uint32_t> histograms;  // (C, bfloat16_patterns)
    Aligned<std::uint32_t> steps;       // (C-1, step_pairs)
    Aligned<float> windows;             // (C, 2 sketch_size)
    std::vector<BlockRow> rows;         // (C), of a block
    Aligned<std::uint16_t> patterns;    // (C, weight_block_elements), where it is stored as BF16
    Aligned<float> floats;              // (C, weight_block_elements), where not all is stored as BF16
    BlockRoom room;
  };

  Partial nothing() const;
  void add_tasks(std::span<const StoredElements> elements, std::uint64_t first, std::uint64_t count);
  void add_task(std::span<const StoredElements> elements, const Range& range, Worker& worker,
                Partial& partial);
  void add_chunk(std::span<const StoredElements> elements, const Range& chunk, Worker& worker,
                 Partial& partial);
  void add_one_block(std::span<const StoredElements> elements, const Range& block, Worker& worker,
                     Partial& partial);
  void load_block(std::span<const StoredElements> elements, const Range& block, Worker& worker) const;
  void count_plainly(const Worker& worker, std::size_t count);
  void add_partial(const Partial& partial, std::size_t part);
  void collect_counts();

  static constexpr std::uint64_t most_tasks = 64;  // at once

  std::size_t checkpoints_;
  ThreadPool& pool_;
  bool with_sketches_;
  bool all_bfloat16_ = true;                   // of the weight at hand
  std::uint64_t sketch_key_ = 0, blocks_ = 0;  // blocks: added since begin()
  std::uint64_t counted_ = 0;                  // elements that are not collected yet
  std::vector<Worker> workers_;
  std::vector<Partial> partials_;
  Partial sums_;
  std::vector<Bfloat16Histogram> histograms_;  // (C)
  std::vector<Bfloat16Steps> steps_;           // (C-1)
};

}  // namespace moescope
