#pragma once
/// The forward pass in float64, one token after another: the measure of the real one. Written from the
/// description of the schemes alone, for reading rather than for speed.

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"

namespace moescope {

struct ReferencePass {
  std::vector<std::vector<double>> hidden;                             // (N) of (T * H), after each layer
  std::map<std::int64_t, std::vector<std::uint16_t>> experts;          // by MoE layer: (T * K), best first
  std::map<std::int64_t, std::vector<double>> scores, expert_weights;  // (T * E), (T * K)
  std::vector<double> nll;                                             // (T), NaN for the last token
};

/// Of one sequence (T) through a checkpoint in float32.
ReferencePass reference_forward(const Checkpoint& checkpoint, const ModelWeights& model,
                                std::span<const std::uint32_t> token_id);

}  // namespace moescope
