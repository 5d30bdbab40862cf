#include "readers/model/common_weights.h"

#include "readers/model/model_config.h"

namespace moescope {
namespace {

using enum Extent;
using enum Scope;

bool has_query_latent(const ModelConfig& config) {
  return config.attention.latent->query_rank > 0;
}

bool has_no_query_latent(const ModelConfig& config) {
  return !has_query_latent(config);
}

bool has_query_latent_bias(const ModelConfig& config) {
  return has_query_latent(config) && has_attention_bias(config);
}

bool has_dense_bias(const ModelConfig& config) {
  return config.dense_bias;
}

}  // namespace

WeightRules all_of(std::initializer_list<WeightRules> tables) {
  WeightRules all;
  for (const WeightRules& table : tables) all.insert(all.end(), table.begin(), table.end());
  return all;
}

WeightRules outer_weights(std::string_view embedding) {
  return {{Role::embedding, outside_layers, embedding, vocabulary, hidden},
          {Role::final_norm, outside_layers, "model.norm.weight", one, hidden},
          {Role::head, outside_layers, "lm_head.weight", vocabulary, hidden, has_own_head}};
}

WeightRules layer_norms() {
  return {{Role::input_norm, every_layer, "input_layernorm.weight", one, hidden},
          {Role::post_attention_norm, every_layer, "post_attention_layernorm.weight", one, hidden}};
}

WeightRules output_projection() {
  return {{Role::attention_output, every_layer, "self_attn.o_proj.weight", hidden, value_heads}};
}

WeightRules projections() {
  const WeightRules inputs = {{Role::query, every_layer, "self_attn.q_proj.weight", query_heads, hidden},
                              {Role::key, every_layer, "self_attn.k_proj.weight", key_value_heads, hidden},
                              {Role::value, every_layer, "self_attn.v_proj.weight", key_value_heads, hidden}};
  return all_of({inputs, output_projection()});
}

WeightRules latent_projections() {
  const WeightRules latent = {
      {Role::query_down, every_layer, "self_attn.q_a_proj.weight", query_latent, hidden, has_query_latent},
      {Role::query_down_bias, every_layer, "self_attn.q_a_proj.bias", one, query_latent,
       has_query_latent_bias},
      {Role::query_down_norm, every_layer, "self_attn.q_a_layernorm.weight", one, query_latent,
       has_query_latent},
      {Role::query, every_layer, "self_attn.q_b_proj.weight", query_heads, query_latent, has_query_latent},
      {Role::query, every_layer, "self_attn.q_proj.weight", query_heads, hidden, has_no_query_latent},
      {Role::key_value_down, every_layer, "self_attn.kv_a_proj_with_mqa.weight", key_value_latent_and_shared,
       hidden},
      {Role::key_value_down_bias, every_layer, "self_attn.kv_a_proj_with_mqa.bias", one,
       key_value_latent_and_shared, has_attention_bias},
      {Role::key_value_down_norm, every_layer, "self_attn.kv_a_layernorm.weight", one, key_value_latent},
      {Role::key_value_up, every_layer, "self_attn.kv_b_proj.weight", expanded_heads, key_value_latent}};
  return all_of({latent, output_projection(), output_bias()});
}

WeightRules latent_mixture() {
  return all_of({outer_weights(), layer_norms(), latent_projections(), dense_mlp(), router_and_experts(),
                 shared_experts()});
}

WeightRules gated_projections() {
  return {{Role::query_and_gate, softmax_layer, "self_attn.q_proj.weight", query_heads_and_gates, hidden},
          {Role::key, softmax_layer, "self_attn.k_proj.weight", key_value_heads, hidden},
          {Role::value, softmax_layer, "self_attn.v_proj.weight", key_value_heads, hidden},
          {Role::query_norm, softmax_layer, "self_attn.q_norm.weight", one, head},
          {Role::key_norm, softmax_layer, "self_attn.k_norm.weight", one, head},
          {Role::attention_output, softmax_layer, "self_attn.o_proj.weight", hidden, value_heads}};
}

WeightRules delta_net() {
  return {{Role::linear_convolution, linear_layer, "linear_attn.conv1d.weight", linear_channels, linear_taps,
           nullptr, true},
          {Role::linear_decay_rate, linear_layer, "linear_attn.A_log", one, linear_heads},
          {Role::linear_decay_bias, linear_layer, "linear_attn.dt_bias", one, linear_heads},
          {Role::linear_head_norm, linear_layer, "linear_attn.norm.weight", one, linear_head},
          {Role::linear_output, linear_layer, "linear_attn.out_proj.weight", hidden, linear_values}};
}

WeightRules input_biases() {
  return {{Role::query_bias, every_layer, "self_attn.q_proj.bias", one, query_heads, has_attention_bias},
          {Role::key_bias, every_layer, "self_attn.k_proj.bias", one, key_value_heads, has_attention_bias},
          {Role::value_bias, every_layer, "self_attn.v_proj.bias", one, key_value_heads, has_attention_bias}};
}

WeightRules output_bias() {
  return {
      {Role::attention_output_bias, every_layer, "self_attn.o_proj.bias", one, hidden, has_attention_bias}};
}

WeightRules query_key_norms() {
  return {{Role::query_norm, every_layer, "self_attn.q_norm.weight", one, head, has_head_norm},
          {Role::key_norm, every_layer, "self_attn.k_norm.weight", one, head, has_head_norm},
          {Role::query_norm, every_layer, "self_attn.q_norm.weight", one, query_heads, has_full_norm},
          {Role::key_norm, every_layer, "self_attn.k_norm.weight", one, key_value_heads, has_full_norm}};
}

WeightRules dense_mlp() {
  return {{Role::dense_gate, dense_layer, "mlp.gate_proj.weight", dense_width, hidden},
          {Role::dense_up, dense_layer, "mlp.up_proj.weight", dense_width, hidden},
          {Role::dense_down, dense_layer, "mlp.down_proj.weight", hidden, dense_width}};
}

WeightRules dense_mlp_biases() {
  return {{Role::dense_gate_bias, dense_layer, "mlp.gate_proj.bias", one, dense_width, has_dense_bias},
          {Role::dense_up_bias, dense_layer, "mlp.up_proj.bias", one, dense_width, has_dense_bias},
          {Role::dense_down_bias, dense_layer, "mlp.down_proj.bias", one, hidden, has_dense_bias}};
}

WeightRules block_sparse_moe() {
  return {{Role::router, moe_layer, "block_sparse_moe.gate.weight", experts, hidden},
          {Role::expert_gate, routed_expert, "block_sparse_moe.experts.{e}.w1.weight", expert_width, hidden},
          {Role::expert_up, routed_expert, "block_sparse_moe.experts.{e}.w3.weight", expert_width, hidden},
          {Role::expert_down, routed_expert, "block_sparse_moe.experts.{e}.w2.weight", hidden, expert_width}};
}

WeightRules single_experts() {
  return {{Role::expert_gate, routed_expert, "mlp.experts.{e}.gate_proj.weight", expert_width, hidden},
          {Role::expert_up, routed_expert, "mlp.experts.{e}.up_proj.weight", expert_width, hidden},
          {Role::expert_down, routed_expert, "mlp.experts.{e}.down_proj.weight", hidden, expert_width}};
}

WeightRules router_and_experts() {
  return all_of({{{Role::router, moe_layer, "mlp.gate.weight", experts, hidden}}, single_experts()});
}

WeightRules score_correction_bias() {
  return {{Role::score_correction_bias, moe_layer, "mlp.gate.e_score_correction_bias", one, experts}};
}

WeightRules gated_shared_expert() {
  return {{Role::shared_expert_gate, moe_layer, "mlp.shared_expert_gate.weight", single, hidden},
          {Role::shared_gate, moe_layer, "mlp.shared_expert.gate_proj.weight", shared_width, hidden},
          {Role::shared_up, moe_layer, "mlp.shared_expert.up_proj.weight", shared_width, hidden},
          {Role::shared_down, moe_layer, "mlp.shared_expert.down_proj.weight", hidden, shared_width}};
}

WeightRules shared_experts() {
  return {{Role::shared_gate, moe_layer, "mlp.shared_experts.gate_proj.weight", shared_width, hidden,
           has_shared_experts},
          {Role::shared_up, moe_layer, "mlp.shared_experts.up_proj.weight", shared_width, hidden,
           has_shared_experts},
          {Role::shared_down, moe_layer, "mlp.shared_experts.down_proj.weight", hidden, shared_width,
           has_shared_experts}};
}

std::vector<FusedRule> fused_experts() {
  return {{"mlp.experts.gate_up_proj", {Role::expert_gate, Role::expert_up}},
          {"mlp.experts.down_proj", {Role::expert_down}}};
}

std::vector<FusedRule> fused_block_sparse_moe() {
  return {{"block_sparse_moe.experts.gate_up_proj", {Role::expert_gate, Role::expert_up}},
          {"block_sparse_moe.experts.down_proj", {Role::expert_down}}};
}

std::vector<SizeKey> dense_sizes() {
  return {{"moe_intermediate_size", "moe_intermediate_size", 0},
          {"n_routed_experts", "n_routed_experts", 0},
          {"num_experts_per_tok", "num_experts_per_tok", 0}};
}

}  // namespace moescope
