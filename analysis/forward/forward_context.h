#pragma once
/// What the parts of a layer share during one pass over a batch of tokens.

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "analysis/forward/weight_stream.h"
#include "analysis/kernels/activations.h"
#include "analysis/kernels/matrix_product.h"
#include "analysis/machine/parallel.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/model/model_config.h"
#include "readers/model/weight.h"

namespace moescope {

/// T tokens of whole sequences: sequence s is the rows [sequence_start[s], sequence_start[s + 1]).
struct TokenBatch {
  std::size_t first_token = 0;              // of the batch, in the corpus
  std::span<const std::uint32_t> token_id;  // (T)
  std::vector<std::size_t> sequence_start;  // (S + 1), from 0 to T
  std::size_t tokens() const { return token_id.size(); }
};

/// Weights must be taken in the order of ModelWeights::all(), that of the roles: in it they arrive.
struct ForwardContext {
  const ModelConfig& config;
  const ModelWeights& model;
  const TokenBatch& batch;
  WeightStream& weights;
  ThreadPool& threads;
  Precision precision;

  /// The next weight, whole.
  std::vector<float> take(Role role, std::int64_t layer) const {
    return weights.take_values(model.at({role, layer}));
  }
  /// Empty if the model has no such weight.
  std::vector<float> take_if_present(Role role, std::int64_t layer) const {
    const Weight* weight = model.find({role, layer});
    return weight ? weights.take_values(*weight) : std::vector<float>{};
  }
  /// The gain of a norm as it multiplies. Empty if the model has no such norm.
  std::vector<float> take_gain(Role role, std::int64_t layer) const {
    std::vector<float> gain = take_if_present(role, layer);
    const auto offset = static_cast<float>(config.gain_offset);
    if (offset != 0)
      std::ranges::transform(gain, gain.begin(), [&](float stored) { return offset + stored; });
    return gain;
  }
  /// The next weight, multiplied with x as it arrives.
  void take_product(const Weight& weight, const TokenPanels& x, const ProductSink& sink) const {
    weights.take(weight, [&](const WeightTile& tile) { multiply(threads, tile, x, sink); });
  }
  void take_product(Role role, std::int64_t layer, const TokenPanels& x, const ProductSink& sink) const {
    take_product(model.at({role, layer}), x, sink);
  }
  /// W x (T, rows of W).
  Matrix take_projection(Role role, std::int64_t layer, const TokenPanels& x) const {
    const Weight& weight = model.at({role, layer});
    Matrix projected(x.tokens, weight.rows);
    take_product(weight, x, store_rows(x, projected));
    return projected;
  }
};

}  // namespace moescope
