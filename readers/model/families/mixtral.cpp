/// Mixtral (arXiv 2401.04088). Source: the reference implementation, modeling_mixtral.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

void read_schemes(const JsonObject& object, ModelConfig& config) {
  set_all_layers_moe(config);
  config.routing.score = ScoreFunction::softmax;
  config.routing.renormalise = true;
  if (object.find("sliding_window") != nullptr) {
    config.attention.window = object.integer("sliding_window", 1, std::int64_t{1} << 40);
    config.attention.sliding.assign(static_cast<std::size_t>(config.num_hidden_layers), true);
  }
  read_whole_rotary(object, config);
  read_interleaving(object, config);
}

}  // namespace

Family mixtral() {
  return {.model_type = "mixtral",
          .architectures = {"MixtralForCausalLM"},
          .size_keys = {{"n_routed_experts", "num_local_experts", {}},
                        {"moe_intermediate_size", "intermediate_size", {}}},
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), layer_norms(), projections(), block_sparse_moe()}),
          .fused = fused_block_sparse_moe(),
          .gguf = {.architecture = "llama", .constants = {{"rope_interleave", true}}}};
}

}  // namespace moescope::families
