#pragma once
/// The weights of each model family as a table: role, tensor name, shape. A further family is a further
/// table; a shape it needs is a further Extent.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "readers/model/model_config.h"
#include "readers/model/weight.h"

namespace moescope {

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
std::uint64_t extent_size(Extent extent, const ModelConfig& config);

/// Where a weight occurs.
enum class Scope : std::uint8_t {
  before_layers,
  every_layer,
  dense_layer,
  moe_layer,
  routed_expert,
  after_layers
};

/// One kind of weight. In `name` stand {i} for the layer and {e} for the expert.
struct WeightRule {
  Role role;
  Scope scope;
  const char* name;
  Extent rows, cols;
  bool (*present)(const ModelConfig&);  // null: always
};

/// A tensor that stacks the experts of a layer: [E, parts * rows, cols], the parts one below the other.
struct FusedRule {
  const char* name;
  std::vector<Role> parts;
};

struct FamilyTable {
  std::string_view model_type;
  std::string_view layer_prefix;  // of the names of everything that belongs to a layer
  std::vector<WeightRule> rules;  // in canonical order; those of a routed expert together
  std::vector<FusedRule> fused;
};

/// Throws UnsupportedModel when there is no table for `config.model_type`.
const FamilyTable& family_table(const ModelConfig& config);

/// Whether the model has this rule's weight in `layer` (-1: outside the layers).
bool applies(const WeightRule& rule, std::int64_t layer, const ModelConfig& config);

/// `pattern` with {i} and {e} filled in.
std::string tensor_name(std::string_view pattern, std::int64_t layer, std::int64_t expert);

/// Every weight that the model has, in canonical order, as if stored as `dtype` at shard 0, offset 0.
std::vector<Weight> described_weights(const ModelConfig& config, DType dtype);

/// Every weight that the model has, by canonical tensor name.
std::map<std::string, WeightKey> weight_keys(const ModelConfig& config);

}  // namespace moescope
