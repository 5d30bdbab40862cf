/// gpt-oss (arXiv 2508.10925). Source: the reference implementation, modeling_gpt_oss.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

/// Every second layer slides, where the file does not list them.
void read_windows(const JsonObject& object, ModelConfig& config) {
  AttentionScheme& attention = config.attention;
  read_window_and_types(object, config);
  if (!attention.sliding.empty() || !attention.window) return;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    attention.sliding.push_back(layer % 2 == 0);
}

void read_schemes(const JsonObject& object, ModelConfig& config) {
  pass_over(object, {"experts_per_token", "initial_context_length"});  // other names of what is read
  set_all_layers_moe(config);
  config.routing.score = ScoreFunction::softmax;
  config.routing.renormalise = true;
  config.routing.selects_by_logit = true;
  config.activation.limit =
      object.find("swiglu_limit") == nullptr ? 7 : object.positive_number("swiglu_limit");
  config.attention.bias = boolean_or(object, "attention_bias", true);
  read_windows(object, config);
  if (object.find("rope_scaling") == nullptr && object.find("rope_parameters") == nullptr)
    object.unsupported("rope_scaling", "is not supported (expected a yarn scaling, found null)");
  read_whole_rotary(object, config, {RotaryStretch::yarn});
}

WeightRules sinks_router_and_experts() {
  using enum Extent;
  using enum Scope;
  return {
      {Role::attention_sinks, every_layer, "self_attn.sinks", one, heads},
      {Role::router, moe_layer, "mlp.router.weight", experts, hidden},
      {Role::router_bias, moe_layer, "mlp.router.bias", one, experts},
      {Role::expert_gate_up_bias, routed_expert, "mlp.experts.{e}.gate_up_proj_bias", one, expert_pair_width},
      {Role::expert_down_bias, routed_expert, "mlp.experts.{e}.down_proj_bias", one, hidden},
      {Role::expert_gate_up, routed_expert, "mlp.experts.{e}.gate_up_proj", expert_pair_width, hidden},
      {Role::expert_down, routed_expert, "mlp.experts.{e}.down_proj", hidden, expert_width}};
}

}  // namespace

Family gpt_oss() {
  return {.model_type = "gpt_oss",
          .architectures = {"GptOssForCausalLM"},
          .size_keys = {{"n_routed_experts", "num_local_experts", {}},
                        {"moe_intermediate_size", "intermediate_size", {}}},
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), layer_norms(), projections(), input_biases(), output_bias(),
                             sinks_router_and_experts()}),
          .fused = {{"mlp.experts.gate_up_proj_bias", {Role::expert_gate_up_bias}, true},
                    {"mlp.experts.down_proj_bias", {Role::expert_down_bias}, true},
                    {"mlp.experts.gate_up_proj", {Role::expert_gate_up}, true, true},
                    {"mlp.experts.down_proj", {Role::expert_down}, true, true}}};
}

}  // namespace moescope::families
