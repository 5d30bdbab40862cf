#pragma once
/// Linear attention with a gated delta rule (Gated DeltaNet, arXiv 2412.06464, as in Qwen3-Next).

#include "analysis/forward/forward_context.h"

namespace moescope {

/// x: (T, H), the sublayer's input. Adds the linear attention of layer `layer`, which has such, to `residual`
/// (T, H). Each sequence begins with an empty memory. Heads and sequences run side by side; the bytes do not
/// depend on it. Takes from the stream: linear_query_key_value_gate … linear_output.
void linear_attention(const ForwardContext& context, std::int64_t layer, const Matrix& x, Matrix& residual);

}  // namespace moescope
