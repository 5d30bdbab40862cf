#pragma once
/// The sizes of a model that config.json must tell, and what they may be.

#include <cstdint>
#include <string_view>

#include "readers/model/model_config.h"

namespace moescope {

/// The limits exclude sizes whose products would overflow, or whose loops would not end, long before any real
/// model is reached.
struct SizeField {
  std::string_view name;
  std::int64_t ModelConfig::*field;
  std::int64_t least, greatest;
};

inline constexpr std::int64_t largest_width = std::int64_t{1} << 20;
inline constexpr SizeField size_fields[] = {
    {"hidden_size", &ModelConfig::hidden_size, 1, largest_width},
    {"num_hidden_layers", &ModelConfig::num_hidden_layers, 1, 10'000},
    {"num_attention_heads", &ModelConfig::num_attention_heads, 1, 65'536},
    {"intermediate_size", &ModelConfig::intermediate_size, 1, largest_width},
    {"moe_intermediate_size", &ModelConfig::moe_intermediate_size, 1, largest_width},
    {"n_routed_experts", &ModelConfig::n_routed_experts, 1, 65'536},
    {"num_experts_per_tok", &ModelConfig::num_experts_per_tok, 1, 65'536},
    {"max_position_embeddings", &ModelConfig::max_position_embeddings, 1, std::int64_t{1} << 40},
    {"vocab_size", &ModelConfig::vocab_size, 1, std::int64_t{1} << 28},
};

}  // namespace moescope
