/// GLM-4.5 (arXiv 2508.06471). Source: the reference implementation, modeling_glm4_moe.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

void read_schemes(const JsonObject& object, ModelConfig& config) {
  read_shared_experts(object, config);
  read_moe_layers(object, config);
  read_sigmoid_routing(object, config);
  AttentionScheme& attention = config.attention;
  if (boolean_or(object, "use_qk_norm", false)) attention.query_key_norm = QueryKeyNorm::per_head;
  attention.bias = boolean_or(object, "attention_bias", false);
  read_partial_rotary(object, config, 0.5);
}

}  // namespace

Family glm4_moe() {
  return {.model_type = "glm4_moe",
          .architectures = {"Glm4MoeForCausalLM"},
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), layer_norms(), projections(), input_biases(), query_key_norms(),
                             dense_mlp(), router_and_experts(), score_correction_bias(), shared_experts()}),
          .fused = fused_experts(),
          .gguf = {.architecture = "glm4moe"}};
}

}  // namespace moescope::families
