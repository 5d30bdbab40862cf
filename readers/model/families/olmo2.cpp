/// OLMo 2 (arXiv 2501.00656), dense, to compare with. Source: the reference implementation,
/// modeling_olmo2.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

void read_schemes(const JsonObject& object, ModelConfig& config) {
  config.attention.query_key_norm = QueryKeyNorm::full_width;
  config.attention.bias = boolean_or(object, "attention_bias", false);
  read_whole_rotary(object, config);
}

WeightRules norms() {
  using enum Extent;
  using enum Scope;
  return {{Role::attention_output_norm, every_layer, "post_attention_layernorm.weight", one, hidden},
          {Role::mlp_output_norm, every_layer, "post_feedforward_layernorm.weight", one, hidden}};
}

}  // namespace

Family olmo2() {
  return {.model_type = "olmo2",
          .architectures = {"Olmo2ForCausalLM"},
          .size_keys = dense_sizes(),
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), norms(), projections(), input_biases(), output_bias(),
                             query_key_norms(), dense_mlp()}),
          .gguf = {.architecture = "olmo2", .has_experts = false}};
}

}  // namespace moescope::families
