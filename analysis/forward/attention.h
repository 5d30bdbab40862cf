#pragma once
/// Causal multi-head attention with grouped queries, normalised, rotated and limited to a window as the
/// model's AttentionScheme says.

#include "analysis/forward/forward_context.h"
#include "readers/model/attention_scheme.h"

namespace moescope {

/// Rotary angles (Su et al., arXiv 2104.09864): cos and sin of position * base^(-2i / features).
struct RotaryTable {
  Matrix cosine, sine;  // (positions, features / 2)
};
RotaryTable make_rotary_table(std::size_t positions, const RotaryScheme& scheme);

/// Rotates the first features of x (head_dim) in the half-split form: feature i with feature i + features
/// / 2.
void rotate(std::span<float> x, const RotaryTable& table, std::size_t position);

/// x: (T, H), normalised. Adds the attention of layer `layer` to `residual` (T, H). Costs as the FLOPs say:
/// keys beyond a block of queries, or before their window, are never touched, and no T x T array exists.
/// Takes from the stream: query … attention_output_bias.
void attention(const ForwardContext& context, std::int64_t layer, const RotaryTable& rotary, const Matrix& x,
               Matrix& residual);

}  // namespace moescope
