/// dots.llm1 (arXiv 2506.05767). Source: the reference implementation, modeling_dots1.py, and the released
/// model's index.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

// The first release wrote the name of the top-k method here: sigmoid scores with a correction bias.
// The reference implementation has neither key, so newer files may lack both.
void require_known_router(const JsonObject& object) {
  if (object.find("topk_method", KeyUse::checked) != nullptr && object.string("topk_method") != "noaux_tc")
    refuse_value(object, "topk_method", "\"noaux_tc\"");
  if (object.find("scoring_func", KeyUse::checked) == nullptr) return;
  const std::string name = object.string("scoring_func");
  if (name != "noaux_tc" && name != "sigmoid") refuse_value_of_family(object, "scoring_func", "\"sigmoid\"");
}

void read_attention(const JsonObject& object, ModelConfig& config) {
  config.attention.query_key_norm = QueryKeyNorm::per_head;
  config.attention.bias = object.boolean("attention_bias");
  read_window(object, config);
}

void read_routing(const JsonObject& object, ModelConfig& config) {
  read_shared_experts(object, config);
  read_moe_layers(object, config);
  read_sigmoid_routing(object, config);
  require_known_router(object);
}

void read_schemes(const JsonObject& object, ModelConfig& config) {
  read_attention(object, config);
  read_routing(object, config);
  read_whole_rotary(object, config);
}

}  // namespace

Family dots1() {
  return {.model_type = "dots1",
          .architectures = {"Dots1ForCausalLM"},
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), layer_norms(), projections(), input_biases(), output_bias(),
                             query_key_norms(), dense_mlp(), router_and_experts(), score_correction_bias(),
                             shared_experts()}),
          .fused = fused_experts(),
          .gguf = {.architecture = "dots1"}};
}

}  // namespace moescope::families
