/// MiniMax-M2. Source: the released model's modeling_minimax_m2.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

void read_rotary(const JsonObject& object, ModelConfig& config) {
  read_partial_rotary(object, config, 1);
  std::int64_t& features = config.attention.rotary.features;
  features = integer_or(object, "rotary_dim", features, 2, config.head_dim);
  if (features % 2 != 0)
    object.fail("rotary_dim", "expected an even number, found " + excerpt(object.at("rotary_dim")));
}

/// What MiniMax-Text-01 had, and this model's file still names.
void pass_over_older_keys(const JsonObject& object) {
  pass_over(object, {"layernorm_full_attention_beta", "layernorm_linear_attention_beta", "layernorm_mlp_beta",
                     "mlp_intermediate_size", "shared_moe_mode", "max_model_len"});
}

void read_schemes(const JsonObject& object, ModelConfig& config) {
  pass_over_older_keys(object);
  require_string(object, "scoring_func", "sigmoid");
  require_string(object, "qk_norm_type", "per_layer");
  require_boolean(object, "use_routing_bias", true);
  require_integer(object, "shared_intermediate_size", 0);
  if (const nlohmann::json* types = object.find("attn_type_list", KeyUse::checked);
      types != nullptr && types->is_array()) {
    for (const nlohmann::json& type : *types) {
      if (type != 1)
        object.unsupported("attn_type_list",
                           "is not supported (expected 1 for every layer, found " + excerpt(type) + ")");
    }
  }
  set_all_layers_moe(config);
  config.routing.score = ScoreFunction::sigmoid;
  config.routing.renormalise = true;
  if (boolean_or(object, "use_qk_norm", true)) config.attention.query_key_norm = QueryKeyNorm::full_width;
  read_rotary(object, config);
}

WeightRules correction_bias() {
  return {{Role::score_correction_bias, Scope::moe_layer, "block_sparse_moe.e_score_correction_bias",
           Extent::one, Extent::experts}};
}

}  // namespace

Family minimax_m2() {
  return {.model_type = "minimax_m2",
          .architectures = {"MiniMaxM2ForCausalLM"},
          .size_keys = {{"n_routed_experts", "num_local_experts", {}},
                        {"moe_intermediate_size", "intermediate_size", {}}},
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), layer_norms(), projections(), query_key_norms(),
                             block_sparse_moe(), correction_bias()}),
          .fused = fused_block_sparse_moe(),
          .gguf = {.architecture = "minimax-m2"}};
}

}  // namespace moescope::families
