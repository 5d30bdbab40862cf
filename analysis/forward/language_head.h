#pragma once
/// Final logits and the loss of each token, without a T x V array.

#include <functional>
#include <vector>

#include "analysis/forward/forward_context.h"

namespace moescope {

/// Receives the logits of a batch for the vocabulary entries first_row … : tile (T, rows).
using LogitSink = std::function<void(std::size_t first_row, const Matrix& tile)>;

/// -ln p(next token) for each row of x (T, H), the normalised final hidden states; NaN for the last token of
/// a sequence. By log-sum-exp over blocks of the vocabulary, joined in ascending order, in double precision.
/// Takes from the stream: `head` (V, H). `logits` may be empty.
std::vector<float> token_losses(const ForwardContext& context, const Weight& head, const Matrix& x,
                                const LogitSink& logits);

}  // namespace moescope
