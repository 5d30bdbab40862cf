#include "analysis/forward/router.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "metrics/routing/router_distribution.h"

namespace moescope {
namespace {

constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

/// What is compared with others: NaN counts as lowest.
float or_lowest(float value) {
  return std::isnan(value) ? minus_infinity : value;
}

float sum_of_best_two(std::span<const float> selection) {
  float best = minus_infinity, second = minus_infinity;
  for (float c : selection) {
    if (c > best) {
      second = std::exchange(best, c);
    } else if (c > second) {
      second = c;
    }
  }
  return best + second;
}

float rank_group(GroupScore score, std::span<const float> selection) {
  return score == GroupScore::best_two ? sum_of_best_two(selection) : *std::ranges::max_element(selection);
}

/// The kept_groups best groups, ascending; of equal ones the lower.
std::vector<std::size_t> best_groups(const RoutingScheme& scheme, std::span<const float> selection) {
  if (scheme.groups <= 1) return {0};
  const auto groups = static_cast<std::size_t>(scheme.groups);
  const std::size_t size = selection.size() / groups;
  std::vector<float> score;
  for (std::size_t g = 0; g < groups; ++g)
    score.push_back(or_lowest(rank_group(scheme.group_score, selection.subspan(g * size, size))));
  std::vector<std::size_t> order(groups);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(), [&](std::size_t g) { return score[g]; });
  order.resize(static_cast<std::size_t>(scheme.kept_groups));
  std::ranges::sort(order);
  return order;
}

void softmax(std::span<const float> logits, std::span<float> scores) {
  const float largest = *std::ranges::max_element(logits);
  float sum = 0;
  for (std::size_t e = 0; e < logits.size(); ++e) sum += scores[e] = std::exp(logits[e] - largest);
  for (float& score : scores) score /= sum;
}

/// Experts that every token takes come before all others.
void set_selection_scores(const RoutingScheme& scheme, std::span<const float> scores,
                          std::span<const float> bias, std::vector<float>& selection) {
  selection.assign(scores.begin(), scores.end());
  for (std::size_t e = 0; e < bias.size(); ++e) selection[e] += bias[e];
  std::ranges::transform(selection, selection.begin(), or_lowest);
  std::fill(selection.end() - scheme.always_last, selection.end(), -minus_infinity);
  for (const std::int64_t e : scheme.always) selection[static_cast<std::size_t>(e)] = -minus_infinity;
}

std::size_t moe_layer_number(const ModelConfig& config, std::int64_t layer) {
  const std::vector<std::int64_t> layers = config.moe_layers();
  return static_cast<std::size_t>(std::ranges::find(layers, layer) - layers.begin());
}

bool all_finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

/// The token has no order of experts from which it could choose.
void choose_nothing(std::size_t token, RouterOutput& out) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const std::size_t first = token * out.top_k;
  std::fill_n(out.topk_index.data() + first, out.top_k, no_expert);
  std::fill_n(out.unbiased_index.data() + first, out.top_k, no_expert);
  std::fill_n(out.topk_weight.data() + first, out.top_k, nan);
  out.margin[token] = nan;
}

/// Selection, weights, margin and flips of one token.
void route_token(const RoutingScheme& scheme, std::span<const float> bias, std::size_t token,
                 RouterOutput& out) {
  const std::size_t top_k = out.top_k;
  const auto scores = out.scores.row(token);
  std::vector<std::uint16_t> best(std::min(top_k + 1, scores.size()));
  const std::span<const float> ranked =
      scheme.selects_by_logit ? out.logits.row(token) : out.scores.row(token);
  const std::size_t eligible = select_experts(scheme, ranked, bias, best);

  float total = 0;
  for (std::size_t rank = 0; rank < top_k; ++rank) {
    out.topk_index[token * top_k + rank] = best[rank];
    total += scores[best[rank]];
  }
  const float divisor = scheme.renormalise ? total + static_cast<float>(scheme.epsilon) : 1.0f;
  for (std::size_t rank = 0; rank < top_k; ++rank) {
    out.topk_weight[token * top_k + rank] = scores[best[rank]] / divisor * static_cast<float>(scheme.scale);
  }

  const auto selection = [&](std::size_t rank) {
    return ranked[best[rank]] + (bias.empty() ? 0 : bias[best[rank]]);
  };
  const bool is_decided =
      eligible > top_k && best.size() > top_k && top_k > static_cast<std::size_t>(scheme.always_count());
  out.margin[token] =
      is_decided ? selection(top_k - 1) - selection(top_k) : std::numeric_limits<float>::quiet_NaN();

  select_experts(scheme, ranked, {}, std::span(out.unbiased_index).subspan(token * top_k, top_k));
}

}  // namespace

void score_logits(const RoutingScheme& scheme, std::span<const float> logits, std::span<float> scores) {
  if (scheme.score == ScoreFunction::softmax) {
    const std::size_t free = logits.size() - static_cast<std::size_t>(scheme.always_last);
    softmax(logits.first(free), scores.first(free));
    if (free < logits.size()) softmax(logits.subspan(free), scores.subspan(free));
    return;
  }
  std::ranges::transform(logits, scores.begin(), [](float z) { return 1.0f / (1.0f + std::exp(-z)); });
}

std::size_t select_experts(const RoutingScheme& scheme, std::span<const float> scores,
                           std::span<const float> bias, std::span<std::uint16_t> index) {
  thread_local std::vector<float> selection;  // kept from token to token
  set_selection_scores(scheme, scores, bias, selection);
  const std::vector<std::size_t> groups = best_groups(scheme, selection);
  const std::size_t size =
      selection.size() / std::max<std::size_t>(1, static_cast<std::size_t>(scheme.groups));
  std::size_t found = 0;
  for (const std::size_t group : groups) {
    for (std::size_t e = group * size; e < (group + 1) * size; ++e) {
      const auto beats = [&](std::uint16_t other) { return selection[e] > selection[other]; };
      if (found == index.size() && (found == 0 || !beats(index.back()))) continue;
      std::size_t rank = found < index.size() ? found++ : found - 1;
      for (; rank > 0 && beats(index[rank - 1]); --rank) index[rank] = index[rank - 1];
      index[rank] = static_cast<std::uint16_t>(e);
    }
  }
  return groups.size() * size;
}

RouterOutput route(const ForwardContext& context, std::int64_t layer, const Matrix& x) {
  const ModelConfig& config = context.config;
  RouterOutput out;
  out.layer = layer;
  out.moe_layer = moe_layer_number(config, layer);
  out.first_token = context.batch.first_token;
  out.tokens = x.rows;
  out.top_k = static_cast<std::size_t>(config.num_experts_per_tok);
  out.score = config.routing.score;
  out.logits = Matrix(x.rows, static_cast<std::size_t>(config.n_routed_experts));
  out.scores = Matrix(x.rows, out.logits.columns);
  out.topk_index.resize(x.rows * out.top_k);
  out.topk_weight.resize(x.rows * out.top_k);
  out.margin.resize(x.rows);
  out.unbiased_index.resize(x.rows * out.top_k);

  const TokenPanels panels = pack_panels(context.threads, x, Precision::f32);
  context.take_product(Role::router, layer, panels, store_rows(panels, out.logits));
  add_bias(context.threads, out.logits, context.take_if_present(Role::router_bias, layer));
  const std::vector<float> bias = context.take_if_present(Role::score_correction_bias, layer);
  const bool has_finite_bias = all_finite(bias);
  for_each_row(context.threads, x.rows, [&](std::size_t token) {
    score_logits(config.routing, out.logits.row(token), out.scores.row(token));
    if (has_finite_bias && all_finite(out.logits.row(token))) {
      route_token(config.routing, bias, token, out);
    } else {
      choose_nothing(token, out);
    }
  });
  return out;
}

void router_distribution(const RouterOutput& routing, std::size_t token, std::span<double> distribution) {
  if (routing.score == ScoreFunction::softmax)
    return softmax_router_distribution(routing.logits.row(token), distribution);
  sigmoid_router_distribution(routing.scores.row(token), distribution);
}

}  // namespace moescope
