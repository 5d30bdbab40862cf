#include "analysis/memory_budget.h"

#include <unistd.h>

#include <algorithm>
#include <string>

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

std::string in_mebibytes(std::uint64_t bytes) {
  return std::to_string((bytes + mebibyte - 1) / mebibyte) + "MiB";
}

}  // namespace

std::uint64_t physical_memory() {
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t default_memory_budget() {
  return std::min(physical_memory() / 2, std::uint64_t{4} << 30);
}

bool outgrows_page_cache(std::uint64_t bytes) {
  return bytes > physical_memory() / 2;
}

std::uint64_t activation_bytes_per_token(const ModelConfig& config, Precision precision) {
  const std::int64_t matrix = sizeof(float);
  const std::int64_t panel = panel_format(precision) == PanelFormat::pairs ? sizeof(Bfloat16) : sizeof(float);
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t heads = config.num_attention_heads * config.head_dim;
  const std::int64_t kv_heads = config.num_key_value_heads * config.head_dim;
  const std::int64_t shared = config.n_shared_experts * config.moe_intermediate_size;
  const std::int64_t expert = std::max(shared, config.moe_intermediate_size);

  const std::int64_t residual_and_input = 2 * hidden * matrix;
  const std::int64_t attention =
      std::max(hidden * panel + (heads + 2 * kv_heads) * matrix, 2 * (heads + kv_heads) * matrix);
  const std::int64_t dense = (hidden + config.intermediate_size) * panel + config.intermediate_size * matrix;
  const std::int64_t moe =
      (hidden + expert) * panel + (hidden + expert + 3 * config.n_routed_experts) * matrix;
  return static_cast<std::uint64_t>(residual_and_input + std::max({attention, dense, moe}));
}

MemoryBudget divide_memory(const ModelConfig& config, Precision precision, std::uint64_t memory,
                           std::size_t tokens, std::size_t longest_sequence) {
  const std::uint64_t per_token = activation_bytes_per_token(config, precision);
  const std::uint64_t least_weights = least_weight_bytes(config);
  const std::uint64_t least = program_memory + least_weights + per_token * longest_sequence;
  if (memory < least) {
    throw UsageError("--memory " + in_mebibytes(memory) + " is too little for a sequence of " +
                         std::to_string(longest_sequence) + " tokens (expected at least " +
                         in_mebibytes(least) + ")",
                     "give more memory or a smaller --sequence-length");
  }
  const std::uint64_t free = memory - program_memory;
  const std::uint64_t wanted = per_token * std::max<std::uint64_t>(1, tokens);
  const std::uint64_t weights = std::clamp(free - std::min(free, wanted), least_weights,
                                           std::max(least_weights, std::min(most_weight_bytes, free / 4)));
  return {static_cast<std::size_t>((free - weights) / per_token), weights};
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
