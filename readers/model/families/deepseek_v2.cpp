/// DeepSeek-V2 (arXiv 2405.04434). Source: the released model's modeling_deepseek.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"

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
  pass_over(object, {"n_group", "topk_group"});
  if (method != "greedy")
    refuse_value_of_family(object, "topk_method", "\"greedy\" or \"group_limited_greedy\"");
}

void read_schemes(const JsonObject& object, ModelConfig& config) {
  pass_over(object, {"rope_interleave"});
  read_shared_experts(object, config);
  read_moe_layers(object, config);
  read_routing(object, config);
  read_latent_attention(object, config);
  config.attention.rotary.interleaved = true;
}

}  // namespace

Family deepseek_v2() {
  return {.model_type = "deepseek_v2",
          .architectures = {"DeepseekV2ForCausalLM"},
          .has_latent_attention = true,
          .read_schemes = read_schemes,
          .weights = latent_mixture(),
          .fused = fused_experts(),
          .gguf = {.architecture = "deepseek2",
                   .score = ScoreFunction::softmax,
                   .constants = {{"norm_topk_prob", false}}}};
}

}  // namespace moescope::families
