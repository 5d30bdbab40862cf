#include "analysis/forward/forward_budget.h"

#include <algorithm>
#include <string>

#include "analysis/kernels/matrix_product.h"
#include "analysis/machine/memory.h"

namespace moescope {
namespace {

constexpr std::uint64_t mebibyte = 1ull << 20;
/// More than this does not make reading any smoother.
constexpr std::uint64_t most_weight_bytes = 256 * mebibyte;

/// Two tiles of the widest matrix: the least with which reading and computing can overlap.
std::uint64_t least_weight_bytes(const ModelConfig& config) {
  const auto widest =
      std::max({config.hidden_size, config.intermediate_size, config.num_attention_heads * config.head_dim,
                config.n_shared_experts * config.moe_intermediate_size});
  return 2 * row_block * static_cast<std::uint64_t>(widest) * sizeof(float);
}

constexpr std::int64_t matrix_bytes = sizeof(float), pair_bytes = sizeof(Bfloat16);

/// Input and hidden panels of one token in the format that takes more: float32, where the hidden values are
/// gated in place, or bfloat16 with the gated values beside them.
std::int64_t gated_mlp_bytes(std::int64_t hidden, std::int64_t intermediate) {
  return std::max((hidden + intermediate) * matrix_bytes,
                  (hidden + intermediate) * pair_bytes + intermediate * matrix_bytes);
}

}  // namespace

std::uint64_t activation_bytes_per_token(const ModelConfig& config) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t heads = config.num_attention_heads * config.head_dim;
  const std::int64_t kv_heads = config.num_key_value_heads * config.head_dim;
  const std::int64_t experts =
      std::max(config.n_shared_experts * config.moe_intermediate_size, config.moe_intermediate_size);

  const std::int64_t residual_and_input = 2 * hidden * matrix_bytes;
  const std::int64_t attention =
      std::max(hidden + heads + 2 * kv_heads, 2 * heads + 2 * kv_heads) * matrix_bytes;
  const std::int64_t dense = gated_mlp_bytes(hidden, config.intermediate_size);
  const std::int64_t moe =
      gated_mlp_bytes(hidden, experts) + (hidden + 3 * config.n_routed_experts) * matrix_bytes;
  return static_cast<std::uint64_t>(residual_and_input + std::max({attention, dense, moe}));
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
