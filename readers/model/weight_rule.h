#pragma once
/// One kind of weight of a model family, as a row of a table: role, tensor name, shape.

#include <cstdint>
#include <string_view>
#include <vector>

#include "readers/model/role.h"

namespace moescope {

struct ModelConfig;

/// An extent of a weight, computed from the configuration.
enum class Extent : std::uint8_t {
  one,                          // a vector's single row
  single,                       // a matrix's single row
  vocabulary,                   // V
  hidden,                       // H
  dense_width,                  // intermediate_size
  expert_pair_width,            // 2 M
  expert_width,                 // M
  shared_width,                 // shared_intermediate_size
  experts,                      // E
  heads,                        // num_attention_heads
  head,                         // head_dim
  query_heads,                  // num_attention_heads * head_dim
  key_value_heads,              // num_key_value_heads * head_dim
  value_heads,                  // num_attention_heads * value_head_dim: what heads give
  query_key_value_heads,        // query_heads + 2 key_value_heads
  query_heads_and_gates,        // 2 query_heads
  query_latent,                 // LatentScheme::query_rank
  key_value_latent,             // LatentScheme::key_value_rank
  key_value_latent_and_shared,  // the same, and the features that all keys share
  expanded_heads,               // num_attention_heads * (own_features + value_head_dim)
  linear_channels,              // LinearScheme::channels()
  linear_channels_and_gates,    // the same, and a gate for each value
  linear_values,                // LinearScheme::values()
  linear_heads,                 // LinearScheme::value_heads
  linear_head_pairs,            // two for each of them
  linear_head,                  // LinearScheme::value_features
  linear_taps,                  // LinearScheme::taps
};

/// Where a weight occurs.
enum class Scope : std::uint8_t {
  outside_layers,
  every_layer,
  softmax_layer,  // with softmax attention
  linear_layer,   // with linear attention
  dense_layer,
  moe_layer,
  routed_expert
};

// What a weight depends on in most families, for WeightRule::present.
bool has_attention_bias(const ModelConfig& config);
// Norms of queries and keys: of each head by itself, or of all together.
bool has_head_norm(const ModelConfig& config);
bool has_full_norm(const ModelConfig& config);
bool has_shared_experts(const ModelConfig& config);
bool has_own_head(const ModelConfig& config);

struct WeightRule {
  Role role;
  Scope scope;
  std::string_view
      name;  // within the layer, if it belongs to one: "self_attn.q_proj.weight"; {e}: the expert
  Extent rows, cols;
  bool (*present)(const ModelConfig&) = nullptr;  // null: always
  bool depthwise = false;  // a convolution of each channel by itself: stored as [rows, 1, cols]

  bool is_vector() const { return rows == Extent::one; }
};

/// A tensor of several weights of a layer, one below the other: [rows of all parts, cols]. Of routed experts
/// it holds those of all: [E, rows of all parts, cols].
struct FusedRule {
  std::string_view name;  // within the layer
  std::vector<Role> parts;
  bool only = false;  // the parts are never stored by themselves
  /// Each expert's matrix is stored as [cols, rows], or in 4 bits as [rows, cols], as NAME_blocks (U8: E,
  /// rows, cols / 32, 16) and NAME_scales (U8: E, rows, cols / 32).
  bool transposed = false;
};

}  // namespace moescope
