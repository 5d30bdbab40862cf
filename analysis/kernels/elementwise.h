#pragma once
/// The elementwise hot loops on panels of 16 tokens, compiled for several instruction sets and chosen at run
/// time. A token is a lane: whatever happens in the other lanes, its numbers are the same. On processors with
/// fused multiply-add they are also the same from one machine to the next, but for exp().
///
/// Thread-safe: pure functions of their arguments. Panel pointers are 64-byte aligned.

#include "analysis/kernels/product_kernels.h"

namespace moescope {

/// gate = silu(gate) * up, elementwise; `count` is a multiple of 16. silu(x) = x / (1 + exp(-x)).
void silu_multiply(float* gate, const float* up, std::size_t count);

/// One step of softmax over keys that arrive in blocks (Milakov & Gimelshein, arXiv 1805.02867), 16 queries
/// at once. On entry `maximum` and `sum` describe the keys before; on return also these `keys`. `scores`
/// (keys, 16) becomes exp(scale * score - maximum), and `rescale` (16) the factor for what was accumulated
/// with the old maximum. Masked scores are `masked_score`; start with maximum = masked_score and sum = 0.
inline constexpr float masked_score = -1e30f;
void softmax_step(float* scores, std::size_t keys, float scale, float* maximum, float* sum, float* rescale);

/// values (rows, 16) times factor (16).
void scale_lanes(float* values, std::size_t rows, const float* factor);

/// For each of 16 lanes: maximum = max_r logits(r), sum = sum_r exp(logits(r) - maximum); logits: (rows, 16).
void exp_sum(const float* logits, std::size_t rows, float* maximum, float* sum);

}  // namespace moescope
