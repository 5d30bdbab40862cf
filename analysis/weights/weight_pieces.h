#pragma once
/// The weights of a series, piece by piece, each piece at all checkpoints: what the weight pass sums up.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "analysis/kernels/block_scales.h"
#include "analysis/machine/parallel.h"
#include "analysis/machine/read_ahead.h"
#include "analysis/weights/weight_pass.h"
#include "analysis/weights/weight_trajectory.h"

namespace moescope {

/// How weights are cut into pieces, the same for every checkpoint, and what memory that takes.
struct WeightCutting {
  std::uint64_t piece_elements = 0;  // a whole number of WeightTrajectorySum's tasks
  std::uint64_t largest_range = 0;   // bytes that are read at once
  std::uint64_t reading_memory = 0;  // of what is read ahead
  /// Of all else: the sums, and whole matrices where they are stored transposed, one of each checkpoint.
  std::uint64_t other_memory = 0;
};
/// Within `memory_budget` bytes, if that is enough. No pointer is null, and there is one at least.
WeightCutting cut_weights(std::span<const ModelWeights* const> series, unsigned threads,
                          std::uint64_t memory_budget);

/// Pieces that are in memory at least, of each checkpoint.
inline constexpr std::uint64_t least_pieces_ahead = 2;

/// Reads ahead. Elements come in the order of rows, however a checkpoint stores them. Not thread-safe.
class WeightPieces {
 public:
  /// Of the weights in `range`. Everything must outlive this.
  WeightPieces(std::span<const CheckpointWeights> series, WeightRange range, const WeightCutting& cutting,
               ThreadPool& pool);

  /// The weights come one after another. Throws std::system_error, as all do.
  void begin(std::size_t index);
  /// The next piece, elements [first, first + count) of each checkpoint: (C). Valid until it is given back.
  std::span<const StoredElements> take(std::uint64_t first, std::uint64_t count);
  void give_back();

 private:
  void take_scales(const Weight& weight, BlockScales& scales);
  void take_matrix(const Weight& weight, std::vector<std::byte>& matrix);

  std::span<const CheckpointWeights> series_;
  std::uint64_t piece_elements_;
  ThreadPool& pool_;
  ReadAhead reader_;
  std::size_t index_ = 0;
  // (C), of the weight at hand:
  std::vector<ReadAhead::Loaded> loaded_;
  std::vector<StoredElements> elements_;
  std::vector<BlockScales> scales_;
  std::vector<std::vector<std::byte>> matrices_;  // of those that are stored transposed
};

}  // namespace moescope
