/// Qwen3-Next. Source: the reference implementation, modeling_qwen3_next.py.

#include "readers/model/common_weights.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"

namespace moescope::families {
namespace {

void read_schemes(const JsonObject& object, ModelConfig& config) {
  read_sparse_layers(object, config);
  read_softmax_routing(object, config);
  read_single_shared_expert(object, config);
  read_gated_attention(object, config);
  refuse_sliding_window(object);
}

WeightRules linear_projections() {
  using enum Extent;
  using enum Scope;
  return {
      {Role::linear_query_key_value_gate, linear_layer, "linear_attn.in_proj_qkvz.weight",
       linear_channels_and_gates, hidden},
      {Role::linear_beta_decay, linear_layer, "linear_attn.in_proj_ba.weight", linear_head_pairs, hidden}};
}

}  // namespace

Family qwen3_next() {
  return {.model_type = "qwen3_next",
          .architectures = {"Qwen3NextForCausalLM"},
          .size_keys = {{"n_routed_experts", "num_experts", {}}},
          .read_schemes = read_schemes,
          .weights = all_of({outer_weights(), layer_norms(), gated_projections(), linear_projections(),
                             delta_net(), dense_mlp(), router_and_experts(), gated_shared_expert()}),
          .fused = fused_experts(),
          .other_parts = {{"mtp.", "multi-token prediction"}}};
}

}  // namespace moescope::families
