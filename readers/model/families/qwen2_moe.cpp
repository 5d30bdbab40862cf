/// Qwen1.5-MoE and Qwen2-MoE (arXiv 2407.10671). Source: the reference implementation, modeling_qwen2_moe.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

void read_schemes(const JsonObject& object, ModelConfig& config) {
  read_sparse_layers(object, config);
  read_softmax_routing(object, config);
  read_single_shared_expert(object, config);
  config.attention.bias = boolean_or(object, "qkv_bias", true);
  refuse_sliding_window(object);
  read_whole_rotary(object, config);
}

}  // namespace

Family qwen2_moe() {
  return {.model_type = "qwen2_moe",
          .architectures = {"Qwen2MoeForCausalLM"},
          .size_keys = {{"n_routed_experts", "num_experts", {}}},
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), layer_norms(), projections(), input_biases(), dense_mlp(),
                             router_and_experts(), gated_shared_expert()}),
          .fused = fused_experts(),
          .gguf = {.architecture = "qwen2moe", .constants = {{"norm_topk_prob", false}}}};
}

}  // namespace moescope::families
