#include "readers/model/gguf_names.h"

#include <algorithm>
#include <vector>

namespace moescope {
namespace {

struct GgufRoleNames {
  Role role;
  std::vector<std::string_view> names;
};

const std::vector<GgufRoleNames>& role_table() {
  static const std::vector<GgufRoleNames> table = {
      {Role::embedding, {"token_embd.weight"}},
      {Role::input_norm, {"attn_norm.weight"}},
      {Role::query_down, {"attn_q_a.weight"}},
      {Role::query_down_bias, {"attn_q_a.bias"}},
      {Role::query_down_norm, {"attn_q_a_norm.weight"}},
      {Role::key_value_down, {"attn_kv_a_mqa.weight"}},
      {Role::key_value_down_bias, {"attn_kv_a_mqa.bias"}},
      {Role::query, {"attn_q.weight", "attn_q_b.weight"}},  // the second of a latent vector
      {Role::key, {"attn_k.weight"}},
      {Role::value, {"attn_v.weight"}},
      {Role::query_bias, {"attn_q.bias"}},
      {Role::key_bias, {"attn_k.bias"}},
      {Role::value_bias, {"attn_v.bias"}},
      {Role::query_norm, {"attn_q_norm.weight"}},
      {Role::key_norm, {"attn_k_norm.weight"}},
      {Role::key_value_down_norm, {"attn_kv_a_norm.weight"}},
      {Role::key_value_up, {"attn_kv_b.weight"}},
      {Role::attention_gate, {"attn_gate.weight"}},
      {Role::attention_output, {"attn_output.weight"}},
      {Role::attention_output_bias, {"attn_output.bias"}},
      {Role::attention_output_norm, {"post_attention_norm.weight"}},
      {Role::post_attention_norm,
       {"ffn_norm.weight", "post_attention_norm.weight"}},  // the second of GLM-4.5
      {Role::dense_gate_bias, {"ffn_gate.bias"}},
      {Role::dense_up_bias, {"ffn_up.bias"}},
      {Role::dense_down_bias, {"ffn_down.bias"}},
      {Role::dense_gate, {"ffn_gate.weight"}},
      {Role::dense_up, {"ffn_up.weight"}},
      {Role::dense_down, {"ffn_down.weight"}},
      {Role::router, {"ffn_gate_inp.weight"}},
      {Role::score_correction_bias, {"exp_probs_b.bias", "exp_probs_b"}},  // the second of older files
      {Role::shared_expert_gate, {"ffn_gate_inp_shexp.weight"}},
      {Role::shared_gate, {"ffn_gate_shexp.weight"}},
      {Role::shared_up, {"ffn_up_shexp.weight"}},
      {Role::shared_down, {"ffn_down_shexp.weight"}},
      {Role::mlp_output_norm, {"post_ffw_norm.weight"}},
      {Role::final_norm, {"output_norm.weight"}},
      {Role::head, {"output.weight"}},
  };
  return table;
}

}  // namespace

std::span<const std::string_view> gguf_names(Role role) {
  const auto found = std::ranges::find(role_table(), role, &GgufRoleNames::role);
  if (found == role_table().end()) return {};
  return found->names;
}

std::span<const FusedRule> gguf_fused() {
  static const FusedRule rules[] = {
      {"ffn_gate_exps.weight", {Role::expert_gate}, true},
      {"ffn_up_exps.weight", {Role::expert_up}, true},
      {"ffn_down_exps.weight", {Role::expert_down}, true},
      {"attn_qkv.weight", {Role::query, Role::key, Role::value}},
      {"attn_qkv.bias", {Role::query_bias, Role::key_bias, Role::value_bias}},
  };
  return rules;
}

}  // namespace moescope
