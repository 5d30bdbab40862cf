/// Llama (arXiv 2302.13971, 2407.21783): dense, to compare with. Source: the reference implementation,
/// modeling_llama.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

void read_schemes(const JsonObject& object, ModelConfig& config) {
  config.attention.bias = boolean_or(object, "attention_bias", false);
  config.dense_bias = boolean_or(object, "mlp_bias", false);
  read_whole_rotary(object, config, {RotaryStretch::linear, RotaryStretch::llama3});
  read_interleaving(object, config);
}

}  // namespace

Family llama() {
  return {.model_type = "llama",
          .architectures = {"LlamaForCausalLM"},
          .size_keys = dense_sizes(),
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), layer_norms(), projections(), input_biases(), output_bias(),
                             dense_mlp(), dense_mlp_biases()}),
          .gguf = {.architecture = "llama", .has_experts = false, .constants = {{"rope_interleave", true}}}};
}

}  // namespace moescope::families
