#include "readers/model/weight_table.h"

#include <algorithm>

#include "readers/errors.h"

namespace moescope {
namespace {

bool has_attention_bias(const ModelConfig& config) {
  return config.attention_bias;
}
bool has_shared_experts(const ModelConfig& config) {
  return config.n_shared_experts > 0;
}
bool has_own_head(const ModelConfig& config) {
  return !config.tie_word_embeddings;
}

// Source: the reference implementation, modeling_dots1.py, and the released model's index.
FamilyTable dots1_table() {
  using enum Extent;
  using enum Scope;
  const auto bias = has_attention_bias;
  const auto shared = has_shared_experts;
  return {
      "dots1",
      "model.layers.",
      {
          {Role::embedding, before_layers, "model.embed_tokens.weight", vocabulary, hidden, nullptr},
          {Role::input_norm, every_layer, "model.layers.{i}.input_layernorm.weight", one, hidden, nullptr},
          {Role::query, every_layer, "model.layers.{i}.self_attn.q_proj.weight", query_heads, hidden,
           nullptr},
          {Role::key, every_layer, "model.layers.{i}.self_attn.k_proj.weight", key_value_heads, hidden,
           nullptr},
          {Role::value, every_layer, "model.layers.{i}.self_attn.v_proj.weight", key_value_heads, hidden,
           nullptr},
          {Role::query_bias, every_layer, "model.layers.{i}.self_attn.q_proj.bias", one, query_heads, bias},
          {Role::key_bias, every_layer, "model.layers.{i}.self_attn.k_proj.bias", one, key_value_heads, bias},
          {Role::value_bias, every_layer, "model.layers.{i}.self_attn.v_proj.bias", one, key_value_heads,
           bias},
          {Role::query_norm, every_layer, "model.layers.{i}.self_attn.q_norm.weight", one, head, nullptr},
          {Role::key_norm, every_layer, "model.layers.{i}.self_attn.k_norm.weight", one, head, nullptr},
          {Role::attention_output, every_layer, "model.layers.{i}.self_attn.o_proj.weight", hidden,
           query_heads, nullptr},
          {Role::attention_output_bias, every_layer, "model.layers.{i}.self_attn.o_proj.bias", one, hidden,
           bias},
          {Role::post_attention_norm, every_layer, "model.layers.{i}.post_attention_layernorm.weight", one,
           hidden, nullptr},
          {Role::dense_gate, dense_layer, "model.layers.{i}.mlp.gate_proj.weight", dense_width, hidden,
           nullptr},
          {Role::dense_up, dense_layer, "model.layers.{i}.mlp.up_proj.weight", dense_width, hidden, nullptr},
          {Role::dense_down, dense_layer, "model.layers.{i}.mlp.down_proj.weight", hidden, dense_width,
           nullptr},
          {Role::router, moe_layer, "model.layers.{i}.mlp.gate.weight", experts, hidden, nullptr},
          {Role::score_correction_bias, moe_layer, "model.layers.{i}.mlp.gate.e_score_correction_bias", one,
           experts, nullptr},
          {Role::expert_gate, routed_expert, "model.layers.{i}.mlp.experts.{e}.gate_proj.weight",
           expert_width, hidden, nullptr},
          {Role::expert_up, routed_expert, "model.layers.{i}.mlp.experts.{e}.up_proj.weight", expert_width,
           hidden, nullptr},
          {Role::expert_down, routed_expert, "model.layers.{i}.mlp.experts.{e}.down_proj.weight", hidden,
           expert_width, nullptr},
          {Role::shared_gate, moe_layer, "model.layers.{i}.mlp.shared_experts.gate_proj.weight", shared_width,
           hidden, shared},
          {Role::shared_up, moe_layer, "model.layers.{i}.mlp.shared_experts.up_proj.weight", shared_width,
           hidden, shared},
          {Role::shared_down, moe_layer, "model.layers.{i}.mlp.shared_experts.down_proj.weight", hidden,
           shared_width, shared},
          {Role::final_norm, after_layers, "model.norm.weight", one, hidden, nullptr},
          {Role::head, after_layers, "lm_head.weight", vocabulary, hidden, has_own_head},
      },
      {
          {"model.layers.{i}.mlp.experts.gate_up_proj", {Role::expert_gate, Role::expert_up}},
          {"model.layers.{i}.mlp.experts.down_proj", {Role::expert_down}},
      },
  };
}

void replace(std::string& text, std::string_view placeholder, std::int64_t value) {
  const auto position = text.find(placeholder);
  if (position != std::string::npos) text.replace(position, placeholder.size(), std::to_string(value));
}

template <class Add>
void add_outside_layers(std::span<const WeightRule> rules, const ModelConfig& config, Scope scope,
                        const Add& add) {
  for (const WeightRule& rule : rules) {
    if (rule.scope == scope && applies(rule, -1, config)) add(rule, -1, -1);
  }
}

// The rules of a routed expert stand together: all of them for one expert, then for the next.
template <class Add>
void add_layer(std::span<const WeightRule> rules, std::int64_t layer, const ModelConfig& config,
               const Add& add) {
  const auto is_expert = [](const WeightRule& rule) { return rule.scope == Scope::routed_expert; };
  for (auto rule = rules.begin(); rule != rules.end();) {
    const auto end = is_expert(*rule) ? std::find_if_not(rule, rules.end(), is_expert) : rule + 1;
    const std::int64_t experts = is_expert(*rule) ? config.n_routed_experts : 1;
    for (std::int64_t e = 0; e < experts; ++e) {
      for (auto part = rule; part != end; ++part) {
        if (applies(*part, layer, config)) add(*part, layer, is_expert(*part) ? e : -1);
      }
    }
    rule = end;
  }
}

}  // namespace

std::uint64_t extent_size(Extent extent, const ModelConfig& config) {
  const auto size = [&]() -> std::int64_t {
    switch (extent) {
      case Extent::one:
        return 1;
      case Extent::vocabulary:
        return config.vocab_size;
      case Extent::hidden:
        return config.hidden_size;
      case Extent::dense_width:
        return config.intermediate_size;
      case Extent::expert_width:
        return config.moe_intermediate_size;
      case Extent::shared_width:
        return config.n_shared_experts * config.moe_intermediate_size;
      case Extent::experts:
        return config.n_routed_experts;
      case Extent::head:
        return config.head_dim;
      case Extent::query_heads:
        return config.num_attention_heads * config.head_dim;
      case Extent::key_value_heads:
        return config.num_key_value_heads * config.head_dim;
    }
    return 0;
  };
  return static_cast<std::uint64_t>(size());
}

const FamilyTable& family_table(const ModelConfig& config) {
  static const FamilyTable tables[] = {dots1_table()};
  for (const FamilyTable& table : tables) {
    if (table.model_type == config.model_type) return table;
  }
  throw UnsupportedModel("config.json", "'model_type'", "is not a model that moescope knows");
}

bool applies(const WeightRule& rule, std::int64_t layer, const ModelConfig& config) {
  if (rule.present != nullptr && !rule.present(config)) return false;
  switch (rule.scope) {
    case Scope::before_layers:
    case Scope::after_layers:
      return layer < 0;
    case Scope::every_layer:
      return layer >= 0;
    case Scope::dense_layer:
      return layer >= 0 && !config.is_moe_layer(layer);
    case Scope::moe_layer:
    case Scope::routed_expert:
      return layer >= 0 && config.is_moe_layer(layer);
  }
  return false;
}

std::string tensor_name(std::string_view pattern, std::int64_t layer, std::int64_t expert) {
  std::string name(pattern);
  replace(name, "{i}", layer);
  replace(name, "{e}", expert);
  return name;
}

std::vector<Weight> described_weights(const ModelConfig& config, DType dtype) {
  const std::vector<WeightRule>& rules = family_table(config).rules;
  std::vector<Weight> weights;
  const auto add = [&](const WeightRule& rule, std::int64_t layer, std::int64_t expert) {
    weights.push_back({{rule.role, layer, expert},
                       tensor_name(rule.name, layer, expert),
                       dtype,
                       extent_size(rule.rows, config),
                       extent_size(rule.cols, config)});
  };
  add_outside_layers(rules, config, Scope::before_layers, add);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    add_layer(rules, layer, config, add);
  add_outside_layers(rules, config, Scope::after_layers, add);
  return weights;
}

std::map<std::string, WeightKey> weight_keys(const ModelConfig& config) {
  std::map<std::string, WeightKey> keys;
  for (const WeightRule& rule : family_table(config).rules) {
    const std::int64_t experts = rule.scope == Scope::routed_expert ? config.n_routed_experts : 1;
    for (std::int64_t layer = -1; layer < config.num_hidden_layers; ++layer) {
      if (!applies(rule, layer, config)) continue;
      for (std::int64_t e = 0; e < experts; ++e) {
        const std::int64_t expert = rule.scope == Scope::routed_expert ? e : -1;
        keys[tensor_name(rule.name, layer, e)] = {rule.role, layer, expert};
      }
    }
  }
  return keys;
}

}  // namespace moescope
