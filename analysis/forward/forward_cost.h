#pragma once
/// What a forward pass costs, part by part, before it is run: weight bytes read and floating-point
/// operations.
///
/// Exact by definition, not an estimate. Counted are the products of matrices, two operations for each
/// multiply-add: all projections for every token, the router, the K experts that each token takes and the
/// shared ones, attention scores and values for exactly the keys that each query sees (causal, within the
/// window of a sliding layer), of linear attention the three products with each head's memory for every token
/// (however its chunks are computed), and the head over the whole vocabulary for every token. Not counted is
/// what grows with activations alone: norms, biases, rotation, softmax, silu, the choice of experts, the
/// residual sum.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "readers/checkpoint/model_weights.h"
#include "readers/model/model_config.h"

namespace moescope {

enum class ForwardPart : std::uint8_t { embedding, dense_layer, moe_layer, head };

struct Cost {
  std::uint64_t weight_bytes = 0;  // as stored, read once
  double flops = 0;                // a whole number, exact below 2^53; attention included
  double attention_flops = 0;      // scores and values, or products with memories, alone
  double routed_flops = 0;         // the routed experts alone: many products of few tokens each

  Cost& operator+=(const Cost& other);
};

struct PartCost {
  ForwardPart part = ForwardPart::embedding;
  std::int64_t layer = -1;  // -1 outside the layers
  Cost cost;
};

/// Keys that the queries of one sequence see, summed over its `length` queries; a query sees itself and what
/// is before it, `window` keys at most.
std::uint64_t visible_keys(std::size_t length, std::optional<std::int64_t> window);

/// The parts of one pass over all weights, in the order of the pass: embedding, layer 0 … N-1, head (with the
/// final norm): N + 2 of them. sequence_start (S + 1): the batch's sequences, from 0 (or any first token) to
/// T. Of the embedding one row is counted for each token, V at most: an upper bound, since a repeated token
/// is read once. A tied head reads the whole embedding. All routed experts are read, whether a token takes
/// them or not.
std::vector<PartCost> forward_cost(const ModelConfig& config, const ModelWeights& weights,
                                   std::span<const std::size_t> sequence_start);

Cost total_cost(std::span<const PartCost> parts);

}  // namespace moescope
