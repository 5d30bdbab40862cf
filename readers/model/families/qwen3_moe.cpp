/// Qwen3-MoE (arXiv 2505.09388). Source: the reference implementation, modeling_qwen3_moe.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

void read_schemes(const JsonObject& object, ModelConfig& config) {
  read_sparse_layers(object, config);
  read_softmax_routing(object, config);
  config.attention.query_key_norm = QueryKeyNorm::per_head;
  config.attention.bias = boolean_or(object, "attention_bias", false);
  refuse_sliding_window(object);
  read_whole_rotary(object, config);
}

}  // namespace

Family qwen3_moe() {
  return {.model_type = "qwen3_moe",
          .architectures = {"Qwen3MoeForCausalLM"},
          .size_keys = {{"n_routed_experts", "num_experts", {}}},
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), layer_norms(), projections(), input_biases(), output_bias(),
                             query_key_norms(), dense_mlp(), router_and_experts()}),
          .fused = fused_experts(),
          .gguf = {.architecture = "qwen3moe", .constants = {{"norm_topk_prob", true}}}};
}

}  // namespace moescope::families
