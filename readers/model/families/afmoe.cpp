/// Trinity (Arcee). Source: the reference implementation, modeling_afmoe.py.

#include <cmath>

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

void read_routing(const JsonObject& object, ModelConfig& config) {
  require_string(object, "score_func", "sigmoid");
  require_boolean(object, "route_norm", true);
  for (const char* key : {"n_group", "topk_group", "num_expert_groups", "num_limited_groups"})
    require_integer(object, key, 1);
  set_sigmoid_routing(config, true, object.positive_number("route_scale"));
}

void read_attention(const JsonObject& object, ModelConfig& config) {
  AttentionScheme& attention = config.attention;
  attention.query_key_norm = QueryKeyNorm::per_head;
  require_boolean(object, "attention_bias", false);
  read_window_and_types(object, config);
  const char* global = "global_attn_every_n_layers";
  if (attention.sliding.empty() && attention.window)
    attention.sliding = all_but_each(integer_or(object, global, 4, 1, 10'000), config);
  pass_over(object, {global});  // where the layers are listed
  read_whole_rotary(object, config);
  attention.rotary.only_sliding = true;
}

void read_schemes(const JsonObject& object, ModelConfig& config) {
  config.n_shared_experts = integer_or(object, "num_shared_experts", 0, 0, 65'536);
  read_moe_layers(object, config, "num_dense_layers");
  read_routing(object, config);
  read_attention(object, config);
  if (boolean_or(object, "mup_enabled", false))
    config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
}

WeightRules norms() {
  using enum Extent;
  using enum Scope;
  return {{Role::input_norm, every_layer, "input_layernorm.weight", one, hidden},
          {Role::attention_output_norm, every_layer, "post_attention_layernorm.weight", one, hidden},
          {Role::post_attention_norm, every_layer, "pre_mlp_layernorm.weight", one, hidden},
          {Role::mlp_output_norm, every_layer, "post_mlp_layernorm.weight", one, hidden}};
}

WeightRules router_and_gate() {
  using enum Extent;
  using enum Scope;
  return {{Role::attention_gate, every_layer, "self_attn.gate_proj.weight", query_heads, hidden},
          {Role::router, moe_layer, "mlp.router.gate.weight", experts, hidden},
          {Role::score_correction_bias, moe_layer, "mlp.expert_bias", one, experts}};
}

}  // namespace

Family afmoe() {
  return {.model_type = "afmoe",
          .architectures = {"AfmoeForCausalLM"},
          .size_keys = {{"n_routed_experts", "num_experts", {}}},
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), norms(), projections(), query_key_norms(), router_and_gate(),
                             dense_mlp(), single_experts(), shared_experts()}),
          .fused = fused_experts(),
          .gguf = {.architecture = "afmoe", .constants = {{"mup_enabled", true}}}};
}

}  // namespace moescope::families
