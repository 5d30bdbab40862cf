#include "readers/model/weight_table.h"

#include <algorithm>

namespace moescope {
namespace {

std::int64_t extent_size(Extent extent, const ModelConfig& config) {
  const LatentScheme latent = config.attention.latent.value_or(LatentScheme{});
  const LinearScheme linear = config.attention.linear.value_or(LinearScheme{});
  switch (extent) {
    case Extent::one:
    case Extent::single:
      return 1;
    case Extent::vocabulary:
      return config.vocab_size;
    case Extent::hidden:
      return config.hidden_size;
    case Extent::dense_width:
      return config.intermediate_size;
    case Extent::expert_pair_width:
      return 2 * config.moe_intermediate_size;
    case Extent::expert_width:
      return config.moe_intermediate_size;
    case Extent::shared_width:
      return config.shared_intermediate_size;
    case Extent::experts:
      return config.n_routed_experts;
    case Extent::heads:
      return config.num_attention_heads;
    case Extent::head:
      return config.head_dim;
    case Extent::query_heads:
      return config.num_attention_heads * config.head_dim;
    case Extent::key_value_heads:
      return config.num_key_value_heads * config.head_dim;
    case Extent::value_heads:
      return config.num_attention_heads * config.value_head_dim;
    case Extent::query_key_value_heads:
      return (config.num_attention_heads + 2 * config.num_key_value_heads) * config.head_dim;
    case Extent::query_heads_and_gates:
      return 2 * config.num_attention_heads * config.head_dim;
    case Extent::query_latent:
      return latent.query_rank;
    case Extent::key_value_latent:
      return latent.key_value_rank;
    case Extent::key_value_latent_and_shared:
      return latent.key_value_rank + latent.shared_features;
    case Extent::expanded_heads:
      return config.num_attention_heads * (latent.own_features + config.value_head_dim);
    case Extent::linear_channels:
      return linear.channels();
    case Extent::linear_channels_and_gates:
      return linear.channels() + linear.values();
    case Extent::linear_values:
      return linear.values();
    case Extent::linear_heads:
      return linear.value_heads;
    case Extent::linear_head_pairs:
      return 2 * linear.value_heads;
    case Extent::linear_head:
      return linear.value_features;
    case Extent::linear_taps:
      return linear.taps;
  }
  return 0;
}

bool is_expert(const WeightRule& rule) {
  return rule.scope == Scope::routed_expert;
}

std::vector<WeightRule> rules_by_role(const ModelConfig& config) {
  std::vector<WeightRule> rules = family_of(config).weights;
  std::ranges::stable_sort(rules, {}, &WeightRule::role);
  return rules;
}

using Rules = std::span<const WeightRule>;

// All weights of one expert, then those of the next.
void visit_experts(Rules rules, std::int64_t layer, const ModelConfig& config, const WeightVisitor& visit) {
  for (std::int64_t expert = 0; expert < config.n_routed_experts; ++expert) {
    for (const WeightRule& rule : rules) {
      if (applies(rule, layer, config)) visit(rule, {rule.role, layer, expert});
    }
  }
}

void visit_layer(Rules rules, std::int64_t layer, const ModelConfig& config, const WeightVisitor& visit) {
  for (auto rule = rules.begin(); rule != rules.end();) {
    const auto end = is_expert(*rule) ? std::find_if_not(rule, rules.end(), is_expert) : rule + 1;
    if (is_expert(*rule)) {
      visit_experts(Rules(rule, end), layer, config, visit);
    } else if (applies(*rule, layer, config)) {
      visit(*rule, {rule->role, layer, -1});
    }
    rule = end;
  }
}

bool is_quantised_layer(const Weight& weight) {
  if (weight.key.role == Role::linear_convolution) return false;
  const RoleGroup group = role_group(weight.key.role);
  return weight.rows > 1 && (group == RoleGroup::attention || group == RoleGroup::dense_mlp ||
                             group == RoleGroup::routed_expert || group == RoleGroup::shared_expert);
}

/// F32 for blocks (DeepSeek-V3's release), BF16 for rows (compressed-tensors).
StoredScales described_scales(const Quantisation& quantisation, const Weight& weight) {
  if (quantisation.scaled_by == ScaledBy::rows)
    return {.dtype = DType::bf16, .block_rows = 1, .block_cols = weight.cols};
  return {.dtype = DType::f32,
          .block_rows = static_cast<std::uint64_t>(quantisation.block_rows),
          .block_cols = static_cast<std::uint64_t>(quantisation.block_cols)};
}

void describe_in_8_bits(const Quantisation& quantisation, Weight& weight) {
  if (weight.key.role == Role::score_correction_bias) weight.dtype = DType::f32;
  if (!is_quantised_layer(weight)) return;
  weight.dtype = DType::f8_e4m3;
  weight.scales = described_scales(quantisation, weight);
}

void describe_storage(const ModelConfig& config, Weight& weight) {
  const bool may_be_packed = is_stored_transposed(weight.key.role, config);
  const ScaledBy scaled_by = config.quantisation.scaled_by;
  if (scaled_by == ScaledBy::parts_of_rows && may_be_packed) {
    weight.dtype = DType::f4;
    weight.scales = mxfp4_scales;
    return;
  }
  weight.transposed = may_be_packed;
  if (scaled_by == ScaledBy::blocks || scaled_by == ScaledBy::rows)
    describe_in_8_bits(config.quantisation, weight);
}

}  // namespace

WeightShape shape_of(const WeightRule& rule, const ModelConfig& config) {
  return {static_cast<std::uint64_t>(extent_size(rule.rows, config)),
          static_cast<std::uint64_t>(extent_size(rule.cols, config))};
}

std::vector<std::uint64_t> stored_shape(const WeightRule& rule, const ModelConfig& config) {
  const WeightShape shape = shape_of(rule, config);
  if (rule.is_vector()) return {shape.cols};
  if (rule.depthwise) return {shape.rows, 1, shape.cols};
  return {shape.rows, shape.cols};
}

WeightShape shape_of(Role role, const ModelConfig& config) {
  for (const WeightRule& rule : family_of(config).weights) {
    if (rule.role == role && occurrences(rule, config) > 0) return shape_of(rule, config);
  }
  return {};
}

bool applies(const WeightRule& rule, std::int64_t layer, const ModelConfig& config) {
  if (rule.present != nullptr && !rule.present(config)) return false;
  switch (rule.scope) {
    case Scope::outside_layers:
      return layer < 0;
    case Scope::every_layer:
      return layer >= 0;
    case Scope::softmax_layer:
      return layer >= 0 && !config.attention.is_linear_in(layer);
    case Scope::linear_layer:
      return layer >= 0 && config.attention.is_linear_in(layer);
    case Scope::dense_layer:
      return layer >= 0 && !config.is_moe_layer(layer);
    case Scope::moe_layer:
    case Scope::routed_expert:
      return layer >= 0 && config.is_moe_layer(layer);
  }
  return false;
}

std::uint64_t occurrences(const WeightRule& rule, const ModelConfig& config) {
  std::uint64_t count = 0;
  for (std::int64_t layer = -1; layer < config.num_hidden_layers; ++layer)
    count += applies(rule, layer, config);
  return count;
}

std::string tensor_name(const Family& family, std::string_view name, std::int64_t layer,
                        std::int64_t expert) {
  if (layer < 0) return std::string(name);
  std::string whole = std::string(family.layer_prefix) + std::to_string(layer) + "." + std::string(name);
  const auto place = whole.find("{e}");
  if (place != std::string::npos) whole.replace(place, 3, std::to_string(expert));
  return whole;
}

bool is_stored_transposed(Role role, const ModelConfig& config) {
  return std::ranges::any_of(family_of(config).fused, [&](const FusedRule& fused) {
    return fused.transposed && fused.parts.front() == role;
  });
}

void visit_weights(const ModelConfig& config, const WeightVisitor& visit) {
  const std::vector<WeightRule> rules = rules_by_role(config);
  const auto is_outside = [](const WeightRule& rule) { return rule.scope == Scope::outside_layers; };
  const auto first = std::ranges::find_if_not(rules, is_outside);
  visit_layer(Rules(rules.begin(), first), -1, config, visit);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    visit_layer(rules, layer, config, visit);
  visit_layer(Rules(first, rules.end()), -1, config, visit);
}

std::vector<Weight> described_weights(const ModelConfig& config, DType dtype) {
  std::vector<Weight> weights;
  visit_weights(config, [&](const WeightRule& rule, const WeightKey& key) {
    const WeightShape shape = shape_of(rule, config);
    weights.push_back({.key = key,
                       .name = tensor_name(family_of(config), rule.name, key.layer, key.expert),
                       .dtype = dtype,
                       .rows = shape.rows,
                       .cols = shape.cols});
    describe_storage(config, weights.back());
  });
  return weights;
}

std::map<std::string, WeightKey> weight_keys(const ModelConfig& config) {
  std::map<std::string, WeightKey> keys;
  visit_weights(config, [&](const WeightRule& rule, const WeightKey& key) {
    keys[tensor_name(family_of(config), rule.name, key.layer, key.expert)] = key;
  });
  return keys;
}

}  // namespace moescope
