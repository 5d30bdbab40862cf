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
  one,              // a vector's single row
  vocabulary,       // V
  hidden,           // H
  dense_width,      // intermediate_size
  expert_width,     // M
  shared_width,     // n_shared_experts * M
  experts,          // E
  head,             // head_dim
  query_heads,      // num_attention_heads * head_dim
  key_value_heads,  // num_key_value_heads * head_dim
};

/// Where a weight occurs.
enum class Scope : std::uint8_t { outside_layers, every_layer, dense_layer, moe_layer, routed_expert };

// What a weight depends on in most families, for WeightRule::present.
bool has_attention_bias(const ModelConfig& config);
bool has_shared_experts(const ModelConfig& config);
bool has_own_head(const ModelConfig& config);

struct WeightRule {
  Role role;
  Scope scope;
  std::string_view
      name;  // within the layer, if it belongs to one: "self_attn.q_proj.weight"; {e}: the expert
  Extent rows, cols;
  bool (*present)(const ModelConfig&) = nullptr;  // null: always

  bool is_vector() const { return rows == Extent::one; }
};

/// A tensor that stacks the experts of a layer: [E, parts * rows, cols], the parts one below the other.
struct FusedRule {
  std::string_view name;  // within the layer
  std::vector<Role> parts;
};

}  // namespace moescope
