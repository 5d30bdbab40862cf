#pragma once
/// Causal multi-head attention with grouped queries, per-head RMSNorm of queries and keys, and rotary
/// embedding.

#include "analysis/forward/forward_context.h"

namespace moescope {

/// Rotary angles (Su et al., arXiv 2104.09864): cos and sin of position * theta^(-2i / head_dim).
struct RotaryTable {
  Matrix cosine, sine;  // (positions, head_dim / 2)
};
RotaryTable make_rotary_table(std::size_t positions, std::size_t head_dim, double theta);

/// Rotates x (head_dim) in the half-split form: feature i with feature i + head_dim / 2.
void rotate(std::span<float> x, const RotaryTable& table, std::size_t position);

/// x: (T, H), normalised. Adds the attention of layer `layer` to `residual` (T, H). Costs as the FLOPs say:
/// keys beyond a block of queries, or before their window, are never touched, and no T x T array exists.
/// Takes from the stream: query … attention_output_bias.
void attention(const ForwardContext& context, std::int64_t layer, const RotaryTable& rotary, const Matrix& x,
               Matrix& residual);

}  // namespace moescope
