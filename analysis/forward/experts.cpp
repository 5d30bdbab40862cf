#include "analysis/forward/experts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "analysis/kernels/elementwise.h"

namespace moescope {
namespace {

/// The tokens of one expert, ascending, with their combine weights.
struct ExpertTokens {
  std::vector<std::size_t> token;
  std::vector<float> weight;
};

std::vector<ExpertTokens> sort_by_expert(const RouterOutput& routing, std::size_t experts) {
  std::vector<ExpertTokens> sorted(experts);
  for (std::size_t token = 0; token < routing.tokens; ++token) {
    if (!routing.chooses(token)) continue;
    for (std::size_t rank = 0; rank < routing.top_k; ++rank) {
      ExpertTokens& expert = sorted[routing.experts(token)[rank]];
      expert.token.push_back(token);
      expert.weight.push_back(routing.weights(token)[rank]);
    }
  }
  return sorted;
}

/// sum.row(token) += weight * expert output, for the expert's own tokens.
ProductSink combine_into(const ExpertTokens& expert, Matrix& sum) {
  return [&expert, &sum](std::size_t panel, std::size_t first_row, std::size_t rows, const float* y) {
    const TokenOutputs outputs(y, rows);
    const std::size_t first = panel * panel_lanes, lanes = std::min(panel_lanes, expert.token.size() - first);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      float* out = sum.row(expert.token[first + lane]).data() + first_row;
      const float weight = expert.weight[first + lane];
      for (std::size_t r = 0; r < rows; ++r) out[r] += weight * outputs.of(lane)[r];
    }
  };
}

/// (T, H), zero but for tokens that chose nothing: their output is unknown, and no others'.
Matrix empty_sum(const RouterOutput& routing, const Matrix& x) {
  Matrix sum = Matrix::zero(x.rows, x.columns);
  for (std::size_t token = 0; token < routing.tokens; ++token) {
    if (!routing.chooses(token)) std::ranges::fill(sum.row(token), std::numeric_limits<float>::quiet_NaN());
  }
  return sum;
}

/// What all tokens take of the shared experts: sigmoid(w x) of it where the model has a gate, else all of it.
ExpertTokens shared_tokens(const ForwardContext& context, std::int64_t layer, const Matrix& x) {
  ExpertTokens all{std::vector<std::size_t>(x.rows), std::vector<float>(x.rows, 1.0f)};
  std::iota(all.token.begin(), all.token.end(), std::size_t{0});
  const std::vector<float> gate = context.take_if_present(Role::shared_expert_gate, layer);
  if (gate.empty()) return all;
  for_each_row(context.threads, x.rows, [&](std::size_t t) {
    const auto row = x.row(t);
    const double logit = std::inner_product(row.begin(), row.end(), gate.begin(), 0.0);
    all.weight[t] = static_cast<float>(1 / (1 + std::exp(-logit)));
  });
  return all;
}

/// y (rows, 16): outputs first_row, first_row + 1 …
void add_bias(std::span<const float> bias, std::size_t first_row, std::size_t rows, float* y) {
  if (bias.empty()) return;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t lane = 0; lane < panel_lanes; ++lane) y[r * panel_lanes + lane] += bias[first_row + r];
  }
}

}  // namespace

void gated_mlp(const ForwardContext& context, const Weight& gate, const Weight& up, const Weight& down,
               const TokenPanels& x, const ProductSink& sink, const MlpBiases& biases) {
  TokenPanels hidden(x.tokens, gate.rows, context.precision);
  AlignedFloats beside(hidden.paired() ? x.panels() * gate.rows * panel_lanes : 0);  // (panels, I, 16)
  // The gated values; float32 panels take them themselves.
  const auto gated = [&](std::size_t panel, std::size_t row) {
    return hidden.paired() ? beside.data() + (panel * gate.rows + row) * panel_lanes
                           : hidden.float_panel(panel, row);
  };
  context.take_product(gate, x, [&](std::size_t panel, std::size_t first_row, std::size_t rows, float* y) {
    add_bias(biases.gate, first_row, rows, y);
    std::copy_n(y, rows * panel_lanes, gated(panel, first_row));
  });
  context.take_product(up, x, [&](std::size_t panel, std::size_t first_row, std::size_t rows, float* y) {
    add_bias(biases.up, first_row, rows, y);
    float* block = gated(panel, first_row);
    silu_multiply(block, y, rows * panel_lanes);
    hidden.store(panel, first_row, rows, block);
  });
  context.take_product(down, hidden,
                       [&](std::size_t panel, std::size_t first_row, std::size_t rows, float* y) {
                         add_bias(biases.down, first_row, rows, y);
                         sink(panel, first_row, rows, y);
                       });
}

void dense_mlp(const ForwardContext& context, std::int64_t layer, const Matrix& x, Matrix& residual) {
  const ModelWeights& model = context.model;
  const MlpBiases biases{context.take_if_present(Role::dense_gate_bias, layer),
                         context.take_if_present(Role::dense_up_bias, layer),
                         context.take_if_present(Role::dense_down_bias, layer)};
  const TokenPanels panels = pack_panels(context.threads, x, context.precision);
  gated_mlp(context, model.at({Role::dense_gate, layer}), model.at({Role::dense_up, layer}),
            model.at({Role::dense_down, layer}), panels, add_rows(panels, residual), biases);
}

namespace {

/// A row of gate and a row of up in turn, y (rows, 16), become rows / 2 of activated values
/// (ActivationScheme).
void activate_pairs(double limit, float* y, std::size_t rows, float* out) {
  constexpr float slope = 1.702f;
  const auto most = static_cast<float>(limit);
  alignas(cache_line) float up[row_block / 2 * panel_lanes];
  for (std::size_t r = 0; r < rows / 2; ++r) {
    const float *gates = y + 2 * r * panel_lanes, *ups = gates + panel_lanes;
    for (std::size_t lane = 0; lane < panel_lanes; ++lane) {
      out[r * panel_lanes + lane] = slope * std::min(gates[lane], most);
      up[r * panel_lanes + lane] = (std::clamp(ups[lane], -most, most) + 1) / slope;
    }
  }
  silu_multiply(out, up, rows / 2 * panel_lanes);  // g sigmoid(1.702 g) is silu(1.702 g) / 1.702
}

/// An expert whose gate and up are one matrix. Takes its biases, then gate_up and down from the stream.
void paired_mlp(const ForwardContext& context, const WeightKey& expert, const TokenPanels& x,
                const ProductSink& sink) {
  const auto weight = [&](Role role) -> const Weight& {
    return context.model.at({role, expert.layer, expert.expert});
  };
  const std::vector<float> bias = context.weights.take_values(weight(Role::expert_gate_up_bias));
  const std::vector<float> down_bias = context.weights.take_values(weight(Role::expert_down_bias));
  const Weight& gate_up = weight(Role::expert_gate_up);
  TokenPanels hidden(x.tokens, gate_up.rows / 2, context.precision);
  context.take_product(gate_up, x, [&](std::size_t panel, std::size_t first_row, std::size_t rows, float* y) {
    alignas(cache_line) float activated[row_block / 2 * panel_lanes];
    add_bias(bias, first_row, rows, y);
    activate_pairs(*context.config.activation.limit, y, rows, activated);
    hidden.store(panel, first_row / 2, rows / 2, activated);
  });
  context.take_product(weight(Role::expert_down), hidden,
                       [&](std::size_t panel, std::size_t first_row, std::size_t rows, float* y) {
                         add_bias(down_bias, first_row, rows, y);
                         sink(panel, first_row, rows, y);
                       });
}

/// Of one expert, in the order in which they are taken.
std::vector<const Weight*> weights_of(const ModelWeights& model, const WeightKey& expert) {
  std::vector<const Weight*> weights;
  for (const Role role : all_roles) {
    if (role_group(role) != RoleGroup::routed_expert) continue;
    if (const Weight* weight = model.find({role, expert.layer, expert.expert})) weights.push_back(weight);
  }
  return weights;
}

void routed_mlp(const ForwardContext& context, const WeightKey& expert, const TokenPanels& x,
                const ProductSink& sink) {
  if (context.config.activation.limit) return paired_mlp(context, expert, x, sink);
  const auto weight = [&](Role role) -> const Weight& {
    return context.model.at({role, expert.layer, expert.expert});
  };
  gated_mlp(context, weight(Role::expert_gate), weight(Role::expert_up), weight(Role::expert_down), x, sink);
}

}  // namespace

void mixture_of_experts(const ForwardContext& context, std::int64_t layer, const Matrix& x,
                        const RouterOutput& routing, Matrix& residual) {
  const ModelWeights& model = context.model;
  Matrix sum = empty_sum(routing, x);
  const std::vector<ExpertTokens> sorted = sort_by_expert(routing, routing.logits.columns);
  for (std::size_t e = 0; e < sorted.size(); ++e) {
    const WeightKey expert{Role::expert_down, layer, static_cast<std::int64_t>(e)};
    if (sorted[e].token.empty()) {
      for (const Weight* unused : weights_of(model, expert)) context.weights.skip(*unused);
      continue;
    }
    const TokenPanels panels = pack_panels(context.threads, x, sorted[e].token, context.precision);
    routed_mlp(context, expert, panels, combine_into(sorted[e], sum));
  }
  if (const Weight* gate = model.find({Role::shared_gate, layer})) {
    const ExpertTokens all = shared_tokens(context, layer, x);
    const TokenPanels panels = pack_panels(context.threads, x, context.precision);
    gated_mlp(context, *gate, model.at({Role::shared_up, layer}), model.at({Role::shared_down, layer}),
              panels, combine_into(all, sum));
  }
  add(context.threads, sum, residual);
}

}  // namespace moescope
