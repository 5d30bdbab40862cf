#pragma once
/// What one token's router says: how sure it is, and how much of its distribution it uses.
///
/// The router distribution pi is softmax(z) for softmax routers and s_e / sum_j s_j for sigmoid routers
/// (DeepSeek-V3, arXiv 2412.19437, eq. 19); the correction bias is never in it. Natural logarithms: nats.
/// These run once per token and layer: they allocate nothing. All are pure and thread-safe.

#include <cstdint>
#include <span>

namespace moescope {

/// pi from sigmoid scores s = sigmoid(z), (E) to (E). NaN when all scores are 0.
void sigmoid_router_distribution(std::span<const float> scores, std::span<double> distribution);
/// pi from the logits z of a softmax router, (E) to (E).
void softmax_router_distribution(std::span<const float> logits, std::span<double> distribution);

/// -sum p ln p in nats, between 0 and ln E; 0 ln 0 is 0.
double router_entropy(std::span<const double> distribution);

/// Sum of pi over the chosen experts, (K) indices into (E); uniform K/E.
double topk_mass(std::span<const double> distribution, std::span<const std::uint16_t> chosen);

/// max(w) / sum(w) over the combine weights of the chosen (K): between 1/K and 1. NaN when they sum to 0.
double top1_share(std::span<const float> weights);

/// H(w / sum w) / ln K of the combine weights (K): 1 when all chosen count the same. NaN for K = 1.
double topk_weight_entropy(std::span<const float> weights);

/// How many of the `chosen` experts (K) are not among those chosen without the correction bias (K).
int bias_flips(std::span<const std::uint16_t> chosen, std::span<const std::uint16_t> chosen_without_bias);
/// The most there can be, as a share of K: min(1, E/K - 1), as only E - K experts are not chosen.
double bias_flip_rate_bound(std::int64_t experts, std::int64_t top_k);

}  // namespace moescope
