#pragma once
/// How like the routed experts of two checkpoints are, by the sketches of their matrices: those of a layer
/// share their signs and rotations, so that any two can be compared.

#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "readers/checkpoint/model_weights.h"

namespace moescope {

/// Sketches of `count` tensors from `first` on, as ModelWeights::all() orders them, at one checkpoint:
/// (count, sketch_size). Called by one thread at a time. An empty function: there are none.
using SketchReader =
    std::function<std::vector<float>(std::uint64_t checkpoint, std::uint64_t first, std::uint64_t count)>;

/// Thread-safe.
class ExpertSketches {
 public:
  /// Both must outlive this.
  ExpertSketches(const ModelWeights& weights, const SketchReader& read) : weights_(weights), read_(read) {}

  /// Of a layer's routed experts, (E, 3, sketch_size), three matrices each. Empty if there are none.
  std::vector<float> of_layer(std::uint64_t checkpoint, std::int64_t layer);

 private:
  const ModelWeights& weights_;
  const SketchReader& read_;
  std::mutex reading_;
};

/// Estimated cosines of every expert with every expert at another checkpoint, each the mean over their
/// matrices: (E, E), row-major [before, after]; of (E, M, sketch_size) sketches, or empty without them. The
/// standard error is at most 1 / sqrt(M sketch_size), 0.018 for M = 3. NaN where a matrix is zero or not
/// finite. Pure.
std::vector<double> expert_cosines(const std::vector<float>& before, const std::vector<float>& after,
                                   std::size_t experts);

}  // namespace moescope
