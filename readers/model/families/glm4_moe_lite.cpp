/// GLM-4.7-Flash. Source: the reference implementation, modeling_glm4_moe_lite.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"

namespace moescope::families {
namespace {

void read_layers(const JsonObject& object, ModelConfig& config) {
  const char* key = "mlp_layer_types";
  if (object.find(key) == nullptr) return read_moe_layers(object, config);
  pass_over(object, {"first_k_dense_replace", "moe_layer_freq"});
  config.has_experts = read_choices(object, key, "sparse", "dense", config);
  if (config.moe_layers().empty()) object.fail(key, "names no \"sparse\" layer");
}

void read_schemes(const JsonObject& object, ModelConfig& config) {
  read_layers(object, config);
  read_latent_mixture(object, config);
}

}  // namespace

Family glm4_moe_lite() {
  return {.model_type = "glm4_moe_lite",
          .architectures = {"Glm4MoeLiteForCausalLM"},
          .has_latent_attention = true,
          .read_schemes = read_schemes,
          .weights = all_of({latent_mixture(), score_correction_bias()}),
          .fused = fused_experts()};
}

}  // namespace moescope::families
