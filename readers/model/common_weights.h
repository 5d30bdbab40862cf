#pragma once
/// Rows of weight tables as most families have them, under the names of Hugging Face's llama and its
/// descendants. For the sources of families.

#include <initializer_list>
#include <string_view>
#include <vector>

#include "readers/model/family.h"
#include "readers/model/weight_rule.h"

namespace moescope {

using WeightRules = std::vector<WeightRule>;

/// All of some tables.
WeightRules all_of(std::initializer_list<WeightRules> tables);

/// The embedding, norm, and lm_head unless it is tied.
WeightRules outer_weights(std::string_view embedding = "model.embed_tokens.weight");
/// input_layernorm and post_attention_layernorm.
WeightRules layer_norms();
/// self_attn.o_proj, without its bias.
WeightRules output_projection();
/// self_attn.{q,k,v,o}_proj, without biases.
WeightRules projections();
/// self_attn.{q,k,v}_proj.bias where the model has attention biases.
WeightRules input_biases();
/// self_attn.o_proj.bias where the model has attention biases.
WeightRules output_bias();
/// self_attn.{q,k}_norm, of each head by itself, or of all together; where the scheme has such.
WeightRules query_key_norms();
/// Those of multi-head latent attention: self_attn.q_a_proj … o_proj, with their norms and biases.
WeightRules latent_projections();
/// All of DeepSeek-V2, and of its descendants but for the correction bias.
WeightRules latent_mixture();
/// Softmax attention of a model whose other layers are linear: self_attn.q_proj, of which each head has its
/// query and a gate, k_proj, v_proj, o_proj, q_norm, k_norm; without biases.
WeightRules gated_projections();
/// linear_attn.{conv1d, A_log, dt_bias, norm, out_proj} of linear layers.
WeightRules delta_net();
/// mlp.{gate,up,down}_proj of dense layers.
WeightRules dense_mlp();
/// Their biases, where the model has some.
WeightRules dense_mlp_biases();
/// mlp.experts.{e}.{gate,up,down}_proj.
WeightRules single_experts();
/// mlp.gate and single_experts().
WeightRules router_and_experts();
/// The same as Mixtral's: block_sparse_moe.gate and block_sparse_moe.experts.{e}.{w1,w3,w2}.
WeightRules block_sparse_moe();
/// mlp.gate.e_score_correction_bias.
WeightRules score_correction_bias();
/// mlp.shared_expert.{gate,up,down}_proj and its gate, mlp.shared_expert_gate.
WeightRules gated_shared_expert();
/// mlp.shared_experts.{gate,up,down}_proj, where the model has shared experts.
WeightRules shared_experts();

/// mlp.experts.gate_up_proj and mlp.experts.down_proj.
std::vector<FusedRule> fused_experts();
/// The same under block_sparse_moe.
std::vector<FusedRule> fused_block_sparse_moe();

/// Of a family without experts: its files tell nothing of them.
std::vector<SizeKey> dense_sizes();

}  // namespace moescope
