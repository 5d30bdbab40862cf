#pragma once
/// Causal multi-head attention with grouped queries, or with latent keys and values, normalised, rotated and
/// limited to a window as the model's AttentionScheme says.

#include "analysis/forward/forward_context.h"
#include "analysis/forward/rotary.h"

namespace moescope {

/// x: (T, H), the sublayer's input. Adds the attention of layer `layer` to `residual` (T, H). Costs as the
/// FLOPs say: keys beyond a block of queries, or before their window, are never touched, and no T x T array
/// exists. Takes from the stream: query_down … attention_output_bias.
void attention(const ForwardContext& context, std::int64_t layer, const RotaryTable& rotary, const Matrix& x,
               Matrix& residual);

}  // namespace moescope
