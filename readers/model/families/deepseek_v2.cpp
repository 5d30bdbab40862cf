/// DeepSeek-V2 (arXiv 2405.04434). Source: the released model's modeling_deepseek.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

/// "greedy" knows no groups, whatever the file says of them.
void read_routing(const JsonObject& object, ModelConfig& config) {
  RoutingScheme& routing = config.routing;
  require_string(object, "scoring_func", "softmax");
  require_boolean(object, "norm_topk_prob", false);
  routing.score = ScoreFunction::softmax;
  routing.group_score = GroupScore::best;
  routing.scale = object.positive_number("routed_scaling_factor");
  const std::string method = object.find("topk_method") == nullptr ? "greedy" : object.string("topk_method");
  if (method == "group_limited_greedy") return read_groups(object, config);
  if (method != "greedy") {
    object.unsupported("topk_method",
                       "is not supported for model_type \"deepseek_v2\" (expected \"greedy\" or "
                       "\"group_limited_greedy\", found " +
                           excerpt(method) + ")");
  }
}

void read_schemes(const JsonObject& object, ModelConfig& config) {
  read_shared_experts(object, config);
  read_moe_layers(object, config);
  read_routing(object, config);
  config.attention.bias = boolean_or(object, "attention_bias", false);
  read_whole_rotary(object, config, {RotaryStretch::yarn});
  config.attention.rotary.interleaved = true;
}

}  // namespace

Family deepseek_v2() {
  return {.model_type = "deepseek_v2",
          .architectures = {"DeepseekV2ForCausalLM"},
          .size_keys = {},
          .has_latent_attention = true,
          .read_schemes = read_schemes,
          .layer_prefix = "model.layers.",
          .weights = all_of({outer_weights(), layer_norms(), latent_projections(), dense_mlp(),
                             router_and_experts(), shared_experts()}),
          .fused = fused_experts()};
}

}  // namespace moescope::families
