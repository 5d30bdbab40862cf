/// EMO (Ai2). Source: the released model's modeling_emo.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

/// num_experts_per_layer: all experts, or none in a dense layer.
void read_layers(const JsonObject& object, ModelConfig& config) {
  const char* key = "num_experts_per_layer";
  if (object.find(key) == nullptr) return set_all_layers_moe(config);
  for (const std::int64_t experts : read_integers(object, key, 0, config.n_routed_experts)) {
    if (experts != 0 && experts != config.n_routed_experts)
      object.unsupported(
          key, "is not supported (expected 0 or num_experts = " + std::to_string(config.n_routed_experts) +
                   " in every layer, found " + std::to_string(experts) + ")");
    config.has_experts.push_back(experts != 0);
  }
  require_each_layer(object, key, config.has_experts.size(), config);
  if (config.moe_layers().empty()) object.fail(key, "leaves no mixture-of-experts layer");
}

void read_routing(const JsonObject& object, ModelConfig& config) {
  RoutingScheme& routing = config.routing;
  for (const char* key : {"num_shared_experts_per_layer", "always_active_experts_per_layer"}) {
    if (object.find(key, KeyUse::checked) != nullptr)
      object.unsupported(key, "is not supported (expected null)");
  }
  routing.score = ScoreFunction::softmax;
  routing.always_last = integer_or(object, "num_shared_experts", 0, 0, config.num_experts_per_tok);
  const char* key = "always_active_experts";
  if (object.find(key) != nullptr)
    routing.always = read_integers(object, key, 0, config.n_routed_experts - 1);
  if (routing.always_last > 0 && !routing.always.empty())
    object.unsupported(key,
                       "is not supported beside num_shared_experts (found " + excerpt(object.at(key)) + ")");
  if (routing.always_count() > config.num_experts_per_tok)
    object.fail(
        key, "names more experts than num_experts_per_tok = " + std::to_string(config.num_experts_per_tok));
  routing.renormalise = boolean_or(object, "norm_topk_prob", false) && routing.always_last == 0;
}

void read_schemes(const JsonObject& object, ModelConfig& config) {
  read_layers(object, config);
  read_routing(object, config);
  config.intermediate_size =
      integer_or(object, "dense_intermediate_size", config.moe_intermediate_size, 1, std::int64_t{1} << 20);
  config.dense_bias = boolean_or(object, "dense_mlp_bias", false);
  config.attention.bias = boolean_or(object, "attention_bias", false);
  read_whole_rotary(object, config);
}

WeightRules norms() {
  using enum Extent;
  using enum Scope;
  return {{Role::input_norm, every_layer, "pre_attention_layernorm.weight", one, hidden},
          {Role::post_attention_norm, every_layer, "pre_feedforward_layernorm.weight", one, hidden}};
}

}  // namespace

Family emo() {
  return {.model_type = "emo",
          .architectures = {"EmoForCausalLM"},
          .size_keys = {{"n_routed_experts", "num_experts", {}},
                        {"moe_intermediate_size", "intermediate_size", {}}},
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), norms(), projections(), input_biases(), output_bias(),
                             dense_mlp(), dense_mlp_biases(), router_and_experts()}),
          .fused = fused_experts()};
}

}  // namespace moescope::families
