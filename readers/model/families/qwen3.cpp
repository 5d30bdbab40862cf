/// Qwen3 (arXiv 2505.09388), dense, to compare with. Source: the reference implementation, modeling_qwen3.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

void read_schemes(const JsonObject& object, ModelConfig& config) {
  config.attention.query_key_norm = QueryKeyNorm::per_head;
  config.attention.bias = boolean_or(object, "attention_bias", false);
  refuse_sliding_window(object);
  read_whole_rotary(object, config);
}

}  // namespace

Family qwen3() {
  return {.model_type = "qwen3",
          .architectures = {"Qwen3ForCausalLM"},
          .size_keys = dense_sizes(),
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), layer_norms(), projections(), input_biases(), output_bias(),
                             query_key_norms(), dense_mlp()}),
          .gguf = {.architecture = "qwen3", .has_experts = false}};
}

}  // namespace moescope::families
