#pragma once
/// The feed-forward half of a layer: dense, or a mixture of experts.

#include "analysis/forward/forward_context.h"
#include "analysis/forward/router.h"

namespace moescope {

/// What the three projections of an MLP add; each may be empty.
struct MlpBiases {
  std::vector<float> gate, up, down;
};

/// down(silu(gate x) * up x); every block of the result goes to `sink` (SwiGLU, Shazeer, arXiv 2002.05202).
/// Takes gate, up and down from the stream.
void gated_mlp(const ForwardContext& context, const Weight& gate, const Weight& up, const Weight& down,
               const TokenPanels& x, const ProductSink& sink, const MlpBiases& biases = {});

/// Adds the dense MLP of x (T, H), normalised, to `residual` (T, H).
void dense_mlp(const ForwardContext& context, std::int64_t layer, const Matrix& x, Matrix& residual);

/// Adds sum over the chosen experts of weight * expert(x), plus the shared experts (not scaled), to
/// `residual`. Tokens are sorted by expert and each expert is one product per projection; experts are added
/// in ascending order. The output of a token that chose nothing is NaN. Takes from the stream: the routed
/// experts, then the shared ones.
void mixture_of_experts(const ForwardContext& context, std::int64_t layer, const Matrix& x,
                        const RouterOutput& routing, Matrix& residual);

}  // namespace moescope
