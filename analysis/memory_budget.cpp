#include "analysis/memory_budget.h"

#include <algorithm>
#include <string>

#include "analysis/job_limits.h"
#include "analysis/matrix_product.h"
#include "readers/errors.h"

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

std::string in_mebibytes(std::uint64_t bytes) {
  return std::to_string((bytes + mebibyte - 1) / mebibyte) + "MiB";
}

/// As it was asked for, never more.
std::string asked_memory(std::uint64_t bytes) {
  if (bytes < mebibyte) return std::to_string(bytes) + " bytes";
  return std::to_string(bytes / mebibyte) + "MiB";
}

[[noreturn]] void throw_too_little(std::uint64_t memory, const std::string& what_for, std::uint64_t least,
                                   const std::string& hint) {
  const std::string unit = "a number without a unit counts bytes: write for example --memory ";
  throw UsageError("--memory " + asked_memory(memory) + " is too little" + what_for + " (expected at least " +
                       in_mebibytes(least) + ")",
                   memory < mebibyte ? unit + in_mebibytes(std::max(least, 1024 * mebibyte)) : hint);
}

}  // namespace

std::uint64_t default_memory_budget() {
  return std::min(available_memory() / 2, std::uint64_t{4} << 30);
}

std::uint64_t memory_budget(std::uint64_t asked) {
  return asked == 0 ? default_memory_budget() : asked;
}

bool outgrows_page_cache(std::uint64_t bytes) {
  return bytes > available_memory() / 2;
}

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
    throw_too_little(memory, " for a sequence of " + std::to_string(longest_sequence) + " tokens", least,
                     "give more memory or a smaller --sequence-length");
  }
  const std::uint64_t free = memory - program_memory;
  const std::uint64_t wanted = per_token * std::max<std::uint64_t>(1, tokens);
  const std::uint64_t weights = std::clamp(free - std::min(free, wanted), least_weights,
                                           std::max(least_weights, std::min(most_weight_bytes, free / 4)));
  return {static_cast<std::size_t>((free - weights) / per_token), weights};
}

void require_program_memory(std::uint64_t asked) {
  const std::uint64_t memory = memory_budget(asked);
  if (memory < program_memory) throw_too_little(memory, "", program_memory, "give more memory");
}

std::vector<std::size_t> cut_into_batches(std::span<const std::size_t> sequence_start,
                                          std::size_t batch_tokens) {
  std::vector<std::size_t> batches{0};
  for (std::size_t s = 0; s + 1 < sequence_start.size();) {
    const std::size_t first_token = sequence_start[s];
    do {
      ++s;
    } while (s + 1 < sequence_start.size() && sequence_start[s + 1] - first_token <= batch_tokens);
    batches.push_back(s);
  }
  return batches;
}

}  // namespace moescope
