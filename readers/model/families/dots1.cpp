/// dots.llm1 (arXiv 2506.05767). Source: the reference implementation, modeling_dots1.py, and the released
/// model's index.

#include "readers/model/config_keys.h"
#include "readers/model/family.h"

namespace moescope::families {
namespace {

// The first release wrote the name of the top-k method here: sigmoid scores with a correction bias.
// The reference implementation has neither key, so newer files may lack both.
void require_known_router(const JsonObject& object) {
  if (object.find("topk_method") != nullptr && object.string("topk_method") != "noaux_tc") {
    object.unsupported("topk_method", "is not supported (expected \"noaux_tc\", found " +
                                          excerpt(object.at("topk_method")) + ")");
  }
  if (object.find("scoring_func") == nullptr) return;
  const std::string name = object.string("scoring_func");
  if (name == "noaux_tc" || name == "sigmoid") return;
  object.unsupported(
      "scoring_func",
      "is not supported for model_type \"dots1\" (expected \"sigmoid\", found " + excerpt(name) + ")");
}

void read_attention(const JsonObject& object, ModelConfig& config) {
  config.attention.query_key_norm = QueryKeyNorm::per_head;
  config.attention.bias = object.boolean("attention_bias");
  read_window(object, config);
}

void read_routing(const JsonObject& object, ModelConfig& config) {
  const bool without_shared = object.has_null("n_shared_experts");
  config.n_shared_experts = without_shared ? 0 : object.integer("n_shared_experts", 0, 65'536);
  read_moe_layers(object, config);
  read_groups(object, config);
  RoutingScheme& routing = config.routing;
  routing.score = ScoreFunction::sigmoid;
  routing.renormalise = object.boolean("norm_topk_prob");
  routing.epsilon = 1e-20;
  routing.scale = object.positive_number("routed_scaling_factor");
  require_known_router(object);
}

void read_schemes(const JsonObject& object, ModelConfig& config) {
  read_attention(object, config);
  read_routing(object, config);
  read_whole_rotary(object, config);
}

std::vector<WeightRule> weights() {
  using enum Extent;
  using enum Scope;
  return {
      {Role::embedding, outside_layers, "model.embed_tokens.weight", vocabulary, hidden},
      {Role::input_norm, every_layer, "input_layernorm.weight", one, hidden},
      {Role::query, every_layer, "self_attn.q_proj.weight", query_heads, hidden},
      {Role::key, every_layer, "self_attn.k_proj.weight", key_value_heads, hidden},
      {Role::value, every_layer, "self_attn.v_proj.weight", key_value_heads, hidden},
      {Role::query_bias, every_layer, "self_attn.q_proj.bias", one, query_heads, has_attention_bias},
      {Role::key_bias, every_layer, "self_attn.k_proj.bias", one, key_value_heads, has_attention_bias},
      {Role::value_bias, every_layer, "self_attn.v_proj.bias", one, key_value_heads, has_attention_bias},
      {Role::query_norm, every_layer, "self_attn.q_norm.weight", one, head},
      {Role::key_norm, every_layer, "self_attn.k_norm.weight", one, head},
      {Role::attention_output, every_layer, "self_attn.o_proj.weight", hidden, query_heads},
      {Role::attention_output_bias, every_layer, "self_attn.o_proj.bias", one, hidden, has_attention_bias},
      {Role::post_attention_norm, every_layer, "post_attention_layernorm.weight", one, hidden},
      {Role::dense_gate, dense_layer, "mlp.gate_proj.weight", dense_width, hidden},
      {Role::dense_up, dense_layer, "mlp.up_proj.weight", dense_width, hidden},
      {Role::dense_down, dense_layer, "mlp.down_proj.weight", hidden, dense_width},
      {Role::router, moe_layer, "mlp.gate.weight", experts, hidden},
      {Role::score_correction_bias, moe_layer, "mlp.gate.e_score_correction_bias", one, experts},
      {Role::expert_gate, routed_expert, "mlp.experts.{e}.gate_proj.weight", expert_width, hidden},
      {Role::expert_up, routed_expert, "mlp.experts.{e}.up_proj.weight", expert_width, hidden},
      {Role::expert_down, routed_expert, "mlp.experts.{e}.down_proj.weight", hidden, expert_width},
      {Role::shared_gate, moe_layer, "mlp.shared_experts.gate_proj.weight", shared_width, hidden,
       has_shared_experts},
      {Role::shared_up, moe_layer, "mlp.shared_experts.up_proj.weight", shared_width, hidden,
       has_shared_experts},
      {Role::shared_down, moe_layer, "mlp.shared_experts.down_proj.weight", hidden, shared_width,
       has_shared_experts},
      {Role::final_norm, outside_layers, "model.norm.weight", one, hidden},
      {Role::head, outside_layers, "lm_head.weight", vocabulary, hidden, has_own_head},
  };
}

}  // namespace

Family dots1() {
  return {.model_type = "dots1",
          .architectures = {"Dots1ForCausalLM"},
          .size_keys = {},
          .read_schemes = read_schemes,
          .layer_prefix = "model.layers.",
          .weights = weights(),
          .fused = {{"mlp.experts.gate_up_proj", {Role::expert_gate, Role::expert_up}},
                    {"mlp.experts.down_proj", {Role::expert_down}}}};
}

}  // namespace moescope::families
