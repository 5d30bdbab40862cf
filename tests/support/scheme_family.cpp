#include "tests/support/scheme_family.h"

#include <string>
#include <vector>

#include "readers/model/config_keys.h"

namespace moescope {
namespace {

std::vector<bool> read_flags(const JsonObject& object, const char* key) {
  return object.at(key).get<std::vector<bool>>();
}

void read_routing(const JsonObject& object, RoutingScheme& routing) {
  routing.score = object.string("score") == "softmax" ? ScoreFunction::softmax : ScoreFunction::sigmoid;
  routing.groups = object.integer("groups", 1, 100);
  routing.kept_groups = object.integer("kept_groups", 1, 100);
  routing.group_score = object.string("group_score") == "best" ? GroupScore::best : GroupScore::best_two;
  routing.renormalise = object.boolean("renormalise");
  routing.epsilon = object.positive_number("epsilon");
  routing.scale = object.positive_number("scale");
}

QueryKeyNorm norm_named(const std::string& name) {
  if (name == "per_head") return QueryKeyNorm::per_head;
  return name == "full_width" ? QueryKeyNorm::full_width : QueryKeyNorm::none;
}

void read_attention(const JsonObject& object, AttentionScheme& attention) {
  attention.query_key_norm = norm_named(object.string("query_key_norm"));
  attention.rotary = {object.positive_number("rotary_base"), object.integer("rotary_features", 2, 1000)};
  attention.bias = object.boolean("bias");
  if (object.find("window") != nullptr) attention.window = object.integer("window", 1, 1000);
  attention.sliding = read_flags(object, "sliding");
}

void read_schemes(const JsonObject& object, ModelConfig& config) {
  config.n_shared_experts = integer_or(object, "shared_experts", 0, 0, 100);
  config.has_experts = read_flags(object, "mixture");
  read_routing(object, config.routing);
  read_attention(object, config.attention);
}

/// In an order that is not that of the forward pass, which no family needs to know.
std::vector<WeightRule> weights() {
  using enum Extent;
  using enum Scope;
  return {
      {Role::head, outside_layers, "output.weight", vocabulary, hidden, has_own_head},
      {Role::final_norm, outside_layers, "norm.weight", one, hidden},
      {Role::embedding, outside_layers, "embedding.weight", vocabulary, hidden},
      {Role::expert_down, routed_expert, "experts.{e}.down", hidden, expert_width},
      {Role::expert_up, routed_expert, "experts.{e}.up", expert_width, hidden},
      {Role::expert_gate, routed_expert, "experts.{e}.gate", expert_width, hidden},
      {Role::shared_down, moe_layer, "shared.down", hidden, shared_width, has_shared_experts},
      {Role::shared_up, moe_layer, "shared.up", shared_width, hidden, has_shared_experts},
      {Role::shared_gate, moe_layer, "shared.gate", shared_width, hidden, has_shared_experts},
      {Role::score_correction_bias, moe_layer, "router.bias", one, experts},
      {Role::router, moe_layer, "router.weight", experts, hidden},
      {Role::dense_down, dense_layer, "mlp.down", hidden, dense_width},
      {Role::dense_up, dense_layer, "mlp.up", dense_width, hidden},
      {Role::dense_gate, dense_layer, "mlp.gate", dense_width, hidden},
      {Role::input_norm, every_layer, "norm_1", one, hidden},
      {Role::post_attention_norm, every_layer, "norm_2", one, hidden},
      {Role::query, every_layer, "query.weight", query_heads, hidden},
      {Role::query_bias, every_layer, "query.bias", one, query_heads, has_attention_bias},
      {Role::query_norm, every_layer, "query.norm", one, head, has_head_norm},
      {Role::query_norm, every_layer, "query.norm", one, query_heads, has_full_norm},
      {Role::key, every_layer, "key.weight", key_value_heads, hidden},
      {Role::key_bias, every_layer, "key.bias", one, key_value_heads, has_attention_bias},
      {Role::key_norm, every_layer, "key.norm", one, head, has_head_norm},
      {Role::key_norm, every_layer, "key.norm", one, key_value_heads, has_full_norm},
      {Role::value, every_layer, "value.weight", key_value_heads, hidden},
      {Role::value_bias, every_layer, "value.bias", one, key_value_heads, has_attention_bias},
      {Role::attention_output, every_layer, "output.weight", hidden, query_heads},
      {Role::attention_output_bias, every_layer, "output.bias", one, hidden, has_attention_bias},
  };
}

Family scheme_family() {
  return {.model_type = "scheme",
          .architectures = {"SchemeForCausalLM"},
          .size_keys = {{"n_routed_experts", "experts", {}}},
          .read_schemes = read_schemes,
          .layer_prefix = "block.",
          .weights = weights(),
          .fused = {}};
}

Family without(Role role, std::string_view model_type) {
  Family family = scheme_family();
  family.model_type = model_type;
  std::erase_if(family.weights, [&](const WeightRule& rule) { return rule.role == role; });
  return family;
}

}  // namespace

std::span<const Family> scheme_families() {
  static const Family families[] = {
      scheme_family(),
      without(Role::score_correction_bias, "scheme_without_selection_bias"),
      without(Role::attention_output_bias, "scheme_without_output_bias"),
  };
  return families;
}

nlohmann::ordered_json scheme_config() {
  return nlohmann::ordered_json::parse(R"({
    "model_type": "scheme", "architectures": ["SchemeForCausalLM"], "hidden_act": "silu", "hidden_size": 16,
    "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "intermediate_size": 24, "moe_intermediate_size": 12, "experts": 8, "shared_experts": 1,
    "num_experts_per_tok": 2, "max_position_embeddings": 512, "vocab_size": 40, "rms_norm_eps": 1e-6,
    "tie_word_embeddings": false, "mixture": [false, true, true], "score": "sigmoid", "groups": 1,
    "kept_groups": 1, "group_score": "best_two", "renormalise": true, "epsilon": 1e-20, "scale": 2.5,
    "query_key_norm": "per_head", "rotary_base": 10000.0, "rotary_features": 8, "bias": false, "window": null,
    "sliding": [false, false, false]})");
}

}  // namespace moescope
