#pragma once
/// How far two checkpoints choose the same experts for the same tokens (OLMoE, arXiv 2409.02060, eq. 5).
///
/// Choices are (T, K) expert indices, row-major, each row without repetition, best first by selection score;
/// tokens of which either row is no_expert (expert_choice.h) are left out. Saturation is the agreement with
/// the last checkpoint. NaN without tokens. All functions are pure and thread-safe.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "metrics/routing/expert_choice.h"

namespace moescope {

/// How many tokens have 0, 1 … K experts in common: shape (K+1). Exact; those of parts of a text add up.
std::vector<std::int64_t> overlap_histogram(std::span<const std::uint16_t> a,
                                            std::span<const std::uint16_t> b, std::size_t top_k);
/// Mean over tokens of |A ∩ B| / K, from the histogram.
double mean_agreement(std::span<const std::int64_t> histogram);
/// Mean over tokens of |A ∩ B| / |A ∪ B|, from the histogram.
double mean_jaccard(std::span<const std::int64_t> histogram);

/// Mean over tokens of |A ∩ B| / K; 1 for a checkpoint with itself.
double routing_agreement(std::span<const std::uint16_t> a, std::span<const std::uint16_t> b,
                         std::size_t top_k);
/// Share of tokens whose best expert is the same.
double top1_agreement(std::span<const std::uint16_t> a, std::span<const std::uint16_t> b, std::size_t top_k);
/// Mean over tokens of |A ∩ B| / |A ∪ B|.
double routing_jaccard(std::span<const std::uint16_t> a, std::span<const std::uint16_t> b, std::size_t top_k);

/// The least two choices of K of E experts can have in common: max(0, 2 - E/K) of K, and max(0, 2 K - E) of
/// the E that they have together.
double routing_agreement_bound(std::int64_t experts, std::int64_t top_k);
double routing_jaccard_bound(std::int64_t experts, std::int64_t top_k);

/// What independent uniform choices give: K/E, 1/E, and for Jaccard the mean over the hypergeometric overlap.
double routing_agreement_chance(std::int64_t experts, std::int64_t top_k);
double top1_agreement_chance(std::int64_t experts);
double routing_jaccard_chance(std::int64_t experts, std::int64_t top_k);

}  // namespace moescope
