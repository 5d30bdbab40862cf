#include "analysis/forward/forward_budget.h"

#include <algorithm>
#include <string>

#include "analysis/forward/weight_stream.h"
#include "analysis/kernels/matrix_product.h"
#include "analysis/machine/memory.h"
#include "readers/model/weight_table.h"

namespace moescope {
namespace {

/// Two of the largest tiles: the least with which reading and computing can overlap. A tile is a block of
/// rows, or a transposed matrix.
std::uint64_t least_weight_bytes(const ModelConfig& config) {
  std::uint64_t largest = 0;
  for (const WeightRule& rule : family_of(config).weights) {
    if (rule.is_vector() || occurrences(rule, config) == 0) continue;
    const WeightShape shape = shape_of(rule, config);
    largest =
        std::max(largest, is_stored_transposed(rule.role, config) ? shape.size() : row_block * shape.cols);
  }
  return 2 * largest * sizeof(float);
}

constexpr std::uint64_t matrix_bytes = sizeof(float), pair_bytes = sizeof(Bfloat16);

/// Input and hidden panels of one token in the format that takes more: float32, where the hidden values are
/// gated in place, or bfloat16 with the gated values beside them.
std::uint64_t gated_mlp_bytes(WeightShape gate) {
  const std::uint64_t input = gate.cols, hidden = gate.rows;
  return std::max((input + hidden) * matrix_bytes, (input + hidden) * pair_bytes + hidden * matrix_bytes);
}

/// Whether attention projects by it: to queries, keys, values, latent vectors and gates.
bool is_projection(const WeightRule& rule) {
  return role_group(rule.role) == RoleGroup::attention && !rule.is_vector() && !rule.depthwise &&
         rule.role != Role::attention_output && rule.role != Role::linear_output;
}

/// Panels of the input beside what is projected, or queries beside what the heads give.
std::uint64_t attention_bytes(const ModelConfig& config, std::int64_t layer) {
  const Role output = config.attention.is_linear_in(layer) ? Role::linear_output : Role::attention_output;
  std::uint64_t projected = 0, widest = shape_of(output, config).cols;
  for (const WeightRule& rule : family_of(config).weights) {
    if (!is_projection(rule) || !applies(rule, layer, config)) continue;
    projected += shape_of(rule, config).rows;
    widest = std::max(widest, shape_of(rule, config).cols);
  }
  return (projected + widest) * matrix_bytes;
}

/// Of the layer that takes most.
std::uint64_t attention_bytes(const ModelConfig& config) {
  std::uint64_t most = 0;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    most = std::max(most, attention_bytes(config, layer));
  return most;
}

/// What attention and MLP add, where it is normalised before it is added.
std::uint64_t sublayer_output_bytes(const ModelConfig& config) {
  return std::max(shape_of(Role::attention_output_norm, config).cols,
                  shape_of(Role::mlp_output_norm, config).cols) *
         matrix_bytes;
}

/// The experts, the sum of their outputs, and of each expert logit, score and selection score.
std::uint64_t mixture_bytes(const ModelConfig& config) {
  const WeightShape router = shape_of(Role::router, config);
  const WeightShape down = shape_of(Role::expert_down, config);
  return std::max(gated_mlp_bytes({down.cols, down.rows}),
                  gated_mlp_bytes(shape_of(Role::shared_gate, config))) +
         (router.cols + 3 * router.rows) * matrix_bytes;
}

}  // namespace

std::uint64_t activation_bytes_per_token(const ModelConfig& config) {
  const std::uint64_t residual_and_input = 2 * shape_of(Role::embedding, config).cols * matrix_bytes;
  return residual_and_input + sublayer_output_bytes(config) +
         std::max({attention_bytes(config), mixture_bytes(config),
                   gated_mlp_bytes(shape_of(Role::dense_gate, config))});
}

MemoryBudget divide_memory(const ModelConfig& config, std::uint64_t memory, std::size_t tokens,
                           std::size_t longest_sequence) {
  const std::uint64_t per_token = activation_bytes_per_token(config);
  const std::uint64_t least_weights = least_weight_bytes(config);
  const std::uint64_t least = program_memory + least_weights + per_token * longest_sequence;
  if (memory < least) {
    throw_too_little_memory(memory, " for a sequence of " + std::to_string(longest_sequence) + " tokens",
                            least, "give more memory or a smaller --sequence-length");
  }
  const std::uint64_t free = memory - program_memory;
  const std::uint64_t wanted = per_token * std::max<std::uint64_t>(1, tokens);
  const std::uint64_t weights = std::clamp(free - std::min(free, wanted), least_weights,
                                           std::max(least_weights, std::min(most_weight_bytes, free / 4)));
  return {static_cast<std::size_t>((free - weights) / per_token), weights};
}

}  // namespace moescope
