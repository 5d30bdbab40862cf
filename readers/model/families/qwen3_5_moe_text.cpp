/// Qwen3.5-MoE, the language model by itself. Source: the reference implementation, modeling_qwen3_5_moe.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"

namespace moescope::families {
namespace {

void read_schemes(const JsonObject& object, ModelConfig& config) {
  set_all_layers_moe(config);
  config.routing.score = ScoreFunction::softmax;
  config.routing.renormalise = true;
  read_single_shared_expert(object, config);
  require_boolean(object, "attn_output_gate", true);
  read_gated_attention(object, config);
  refuse_sliding_window(object);
  // Positions in rows and columns of images, which are those in the text where there are none.
  if (object.find("rope_parameters") != nullptr)
    pass_over(object.member("rope_parameters"), {"mrope_interleaved", "mrope_section"});
}

WeightRules linear_projections() {
  using enum Extent;
  using enum Scope;
  return {
      {Role::linear_query_key_value, linear_layer, "linear_attn.in_proj_qkv.weight", linear_channels, hidden},
      {Role::linear_output_gate, linear_layer, "linear_attn.in_proj_z.weight", linear_values, hidden},
      {Role::linear_beta, linear_layer, "linear_attn.in_proj_b.weight", linear_heads, hidden},
      {Role::linear_decay, linear_layer, "linear_attn.in_proj_a.weight", linear_heads, hidden}};
}

}  // namespace

Family qwen3_5_moe_text() {
  return {
      .model_type = "qwen3_5_moe_text",
      .architectures = {"Qwen3_5MoeForCausalLM"},
      .size_keys = {{"n_routed_experts", "num_experts", {}}, {"intermediate_size", "intermediate_size", 0}},
      .read_schemes = read_schemes,
      .weights = all_of({outer_weights(), layer_norms(), gated_projections(), linear_projections(),
                         delta_net(), router_and_experts(), gated_shared_expert()}),
      .fused = fused_experts(),
      .other_parts = {{"mtp.", "multi-token prediction"}}};
}

}  // namespace moescope::families
