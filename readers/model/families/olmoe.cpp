/// OLMoE (arXiv 2409.02060). Source: the reference implementation, modeling_olmoe.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

void read_schemes(const JsonObject& object, ModelConfig& config) {
  set_all_layers_moe(config);
  read_softmax_routing(object, config);
  AttentionScheme& attention = config.attention;
  attention.query_key_norm = QueryKeyNorm::full_width;
  attention.bias = boolean_or(object, "attention_bias", false);
  if (object.find("clip_qkv") != nullptr) attention.clip = object.positive_number("clip_qkv");
  read_whole_rotary(object, config);
}

}  // namespace

Family olmoe() {
  return {.model_type = "olmoe",
          .architectures = {"OlmoeForCausalLM"},
          .size_keys = {{"n_routed_experts", "num_experts", {}},
                        {"moe_intermediate_size", "intermediate_size", {}}},
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), layer_norms(), projections(), input_biases(), output_bias(),
                             query_key_norms(), router_and_experts()}),
          .fused = fused_experts(),
          .gguf = {.architecture = "olmoe", .constants = {{"norm_topk_prob", false}}}};
}

}  // namespace moescope::families
