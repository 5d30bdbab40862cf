/// Ling 2.0. Source: the released model's modeling_bailing_moe_v2.py. Its model_type is that of an older
/// family with another router.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

void read_routing(const JsonObject& object, ModelConfig& config) {
  require_string(object, "score_function", "sigmoid");
  require_boolean(object, "moe_router_enable_expert_bias", true);
  read_groups(object, config);
  const bool renormalise = config.num_experts_per_tok > 1;
  pass_over(object, {"norm_topk_prob", "router_dtype"});
  set_sigmoid_routing(config, renormalise, object.positive_number("routed_scaling_factor"));
}

void read_schemes(const JsonObject& object, ModelConfig& config) {
  require_boolean(object, "use_rmsnorm", true);
  require_boolean(object, "use_bias", false);
  refuse_sliding_window(object);
  config.n_shared_experts =
      object.has_null("num_shared_experts") ? 0 : object.integer("num_shared_experts", 0, 65'536);
  config.shared_intermediate_size =
      config.n_shared_experts * integer_or(object, "moe_shared_expert_intermediate_size",
                                           config.moe_intermediate_size, 1, std::int64_t{1} << 20);
  read_moe_layers(object, config);
  read_routing(object, config);
  if (boolean_or(object, "use_qk_norm", true)) config.attention.query_key_norm = QueryKeyNorm::per_head;
  config.attention.bias = boolean_or(object, "use_qkv_bias", false);
  read_partial_rotary(object, config, 1);
}

WeightRules weights() {
  using enum Extent;
  using enum Scope;
  return {{Role::query, every_layer, "attention.query_key_value.weight[query]", query_heads, hidden},
          {Role::key, every_layer, "attention.query_key_value.weight[key]", key_value_heads, hidden},
          {Role::value, every_layer, "attention.query_key_value.weight[value]", key_value_heads, hidden},
          {Role::query_bias, every_layer, "attention.query_key_value.bias[query]", one, query_heads,
           has_attention_bias},
          {Role::key_bias, every_layer, "attention.query_key_value.bias[key]", one, key_value_heads,
           has_attention_bias},
          {Role::value_bias, every_layer, "attention.query_key_value.bias[value]", one, key_value_heads,
           has_attention_bias},
          {Role::query_norm, every_layer, "attention.query_layernorm.weight", one, head, has_head_norm},
          {Role::key_norm, every_layer, "attention.key_layernorm.weight", one, head, has_head_norm},
          {Role::attention_output, every_layer, "attention.dense.weight", hidden, value_heads},
          {Role::score_correction_bias, moe_layer, "mlp.gate.expert_bias", one, experts}};
}

std::vector<FusedRule> fused() {
  std::vector<FusedRule> rules = fused_experts();
  rules.push_back({"attention.query_key_value.weight", {Role::query, Role::key, Role::value}, true});
  rules.push_back(
      {"attention.query_key_value.bias", {Role::query_bias, Role::key_bias, Role::value_bias}, true});
  return rules;
}

}  // namespace

Family bailing_moe_v2() {
  return {.model_type = "bailing_moe",
          .architectures = {"BailingMoeV2ForCausalLM"},
          .size_keys = {{"n_routed_experts", "num_experts", {}}},
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights("model.word_embeddings.weight"), weights(), layer_norms(),
                             dense_mlp(), router_and_experts(), shared_experts()}),
          .fused = fused(),
          .gguf = {.architecture = "bailingmoe2"}};
}

}  // namespace moescope::families
