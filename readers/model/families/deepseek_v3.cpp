/// DeepSeek-V3 (arXiv 2412.19437). Source: the reference implementation, modeling_deepseek_v3.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

void read_schemes(const JsonObject& object, ModelConfig& config) {
  require_string(object, "scoring_func", "sigmoid");
  require_string(object, "topk_method", "noaux_tc");
  read_shared_experts(object, config);
  read_moe_layers(object, config);
  read_sigmoid_routing(object, config);
  config.attention.bias = boolean_or(object, "attention_bias", false);
  read_whole_rotary(object, config, {RotaryStretch::yarn});
  config.attention.rotary.interleaved = boolean_or(object, "rope_interleave", true);
}

}  // namespace

Family deepseek_v3() {
  return {.model_type = "deepseek_v3",
          .architectures = {"DeepseekV3ForCausalLM"},
          .size_keys = {},
          .has_latent_attention = true,
          .read_schemes = read_schemes,
          .layer_prefix = "model.layers.",
          .weights = all_of({outer_weights(), layer_norms(), latent_projections(), dense_mlp(),
                             router_and_experts(), score_correction_bias(), shared_experts()}),
          .fused = fused_experts()};
}

}  // namespace moescope::families
