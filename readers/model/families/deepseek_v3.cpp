/// DeepSeek-V3 (arXiv 2412.19437). Source: the reference implementation, modeling_deepseek_v3.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"

namespace moescope::families {
namespace {

void read_schemes(const JsonObject& object, ModelConfig& config) {
  read_moe_layers(object, config);
  read_latent_mixture(object, config);
}

}  // namespace

Family deepseek_v3() {
  return {.model_type = "deepseek_v3",
          .architectures = {"DeepseekV3ForCausalLM"},
          .has_latent_attention = true,
          .read_schemes = read_schemes,
          .weights = all_of({latent_mixture(), score_correction_bias()}),
          .fused = fused_experts(),
          .gguf = {.architecture = "deepseek2",
                   .score = ScoreFunction::sigmoid,
                   .constants = {{"norm_topk_prob", false}}}};
}

}  // namespace moescope::families
