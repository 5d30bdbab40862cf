#pragma once
/// The router: which experts a token takes, and with what weights.

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/forward/forward_context.h"
#include "metrics/routing/expert_choice.h"
#include "readers/model/routing_scheme.h"

namespace moescope {

/// What the router did with the T tokens of a batch in one layer. K = num_experts_per_tok, E =
/// n_routed_experts.
struct RouterOutput {
  std::int64_t layer = 0;       // the model's index
  std::size_t moe_layer = 0;    // running number among the MoE layers
  std::size_t first_token = 0;  // of the batch, in the corpus
  std::size_t tokens = 0, top_k = 0;
  Matrix logits;  // (T, E) z = W_router x, in float32 from float32
  ScoreFunction score = ScoreFunction::sigmoid;
  Matrix scores;  // (T, E) s = score(z)
  /// (T, K) best first by selection score; no_expert where a logit or a selection score of the token is not
  /// finite.
  std::vector<std::uint16_t> topk_index;
  std::vector<float> topk_weight;  // (T, K) as multiplied into the experts' outputs; NaN without a choice
  std::vector<float> margin;       // (T) selection score of rank K minus rank K + 1; NaN without a choice
  std::vector<std::uint16_t> unbiased_index;  // (T, K) what would be chosen without the correction bias

  std::span<const std::uint16_t> experts(std::size_t token) const {
    return {topk_index.data() + token * top_k, top_k};
  }
  bool chooses(std::size_t token) const { return has_choice(experts(token)); }
  std::span<const std::uint16_t> unbiased_experts(std::size_t token) const {
    return {unbiased_index.data() + token * top_k, top_k};
  }
  std::span<const float> weights(std::size_t token) const {
    return {topk_weight.data() + token * top_k, top_k};
  }
};

/// (E) scores from finite logits (E).
void score_logits(const RoutingScheme& scheme, std::span<const float> logits, std::span<float> scores);

/// Fills `index` (up to E, best first) with the experts of highest score + bias, at most index.size(), and
/// returns how many are eligible: with several groups only those of the kept_groups best (DeepSeek-V3, arXiv
/// 2412.19437, section 2.1.2). Ties go to the lower expert. NaN counts as lowest.
std::size_t select_experts(const RoutingScheme& scheme, std::span<const float> scores,
                           std::span<const float> bias, std::span<std::uint16_t> index);

/// Routes every row of x (T, H), the normalised and unrounded input of the layer's MLP.
/// What is not finite has no choice: see RouterOutput.
/// weights = s of the chosen, over (their sum + epsilon) if they are renormalised, times the scale.
/// Takes from the stream: router, router_bias, score_correction_bias.
RouterOutput route(const ForwardContext& context, std::int64_t layer, const Matrix& x);

/// The router distribution (E) of a token that chooses, as metrics/routing/router_distribution.h defines it.
void router_distribution(const RouterOutput& routing, std::size_t token, std::span<double> distribution);

}  // namespace moescope
