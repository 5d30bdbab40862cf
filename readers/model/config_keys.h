#pragma once
/// Parts of config.json that several families share: each function reads its keys, and refuses what would
/// change the forward pass unseen. All throw FormatError and UnsupportedModel. For the sources of families.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "readers/model/model_config.h"
#include "readers/text/strict_json.h"

namespace moescope {

std::int64_t integer_or(const JsonObject& object, const char* key, std::int64_t absent, std::int64_t least,
                        std::int64_t greatest);

bool boolean_or(const JsonObject& object, const char* key, bool absent);
/// Zero or positive.
double number_or(const JsonObject& object, const char* key, double absent);

/// An array of integers.
std::vector<std::int64_t> read_integers(const JsonObject& object, const char* key, std::int64_t least,
                                        std::int64_t greatest);

/// Of an array of one word of two for every layer: where it is the first.
std::vector<bool> read_choices(const JsonObject& object, const char* key, const char* first,
                               const char* second, const ModelConfig& config);

/// Of an array that should have an entry for every layer.
void require_each_layer(const JsonObject& object, const char* key, std::size_t entries,
                        const ModelConfig& config);

// What is thrown for a value that is not followed: "is not supported (expected false, found true)", and the
// same "for model_type" of the file. `expected` is as JSON spells it.
[[noreturn]] void refuse_value(const JsonObject& object, const char* key, const std::string& expected);
[[noreturn]] void refuse_value_of_family(const JsonObject& object, const char* key,
                                         const std::string& expected);

/// Keys that decide nothing in this model, whatever they say: unless they were asked for before, inspect says
/// so.
void pass_over(const JsonObject& object, std::initializer_list<const char*> keys);

// Of a key that decides how the forward pass goes: it may be absent, or must be what the family's code does.
void require_string(const JsonObject& object, const char* key, const char* expected);
void require_boolean(const JsonObject& object, const char* key, bool expected);
void require_integer(const JsonObject& object, const char* key, std::int64_t expected);

/// q_lora_rank (null: none), kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim. head_dim is not
/// consulted: it is another thing in each release. Every head has keys and values of its own.
void read_latent_heads(const JsonObject& object, ModelConfig& config);

/// n_shared_experts; null: none.
void read_shared_experts(const JsonObject& object, ModelConfig& config);

/// One, of shared_expert_intermediate_size.
void read_single_shared_expert(const JsonObject& object, ModelConfig& config);

/// (N): true but in every n-th layer.
std::vector<bool> all_but_each(std::int64_t n, const ModelConfig& config);

/// Linear attention as in Qwen3-Next: linear_num_key_heads, linear_num_value_heads, linear_key_head_dim,
/// linear_value_head_dim, linear_conv_kernel_dim. The layers that have it are "linear_attention" in
/// layer_types; without such a list, those but every full_attention_interval-th.
void read_linear_attention(const JsonObject& object, ModelConfig& config);

/// Qwen3-Next and its descendants but for their experts: softmax attention between layers of linear, both
/// gated, a part of each head rotated, gains stored as what is added to 1.
void read_gated_attention(const JsonObject& object, ModelConfig& config);

/// Softmax scores, norm_topk_prob without an epsilon.
void read_softmax_routing(const JsonObject& object, ModelConfig& config);

/// Sigmoid scores whose sum, where they are renormalised, has an epsilon of 1e-20 added.
void set_sigmoid_routing(ModelConfig& config, bool renormalise, double scale);

/// Sigmoid scores as in DeepSeek-V3: n_group, topk_group, norm_topk_prob with its epsilon of 1e-20,
/// routed_scaling_factor.
void read_sigmoid_routing(const JsonObject& object, ModelConfig& config);

/// attention_bias, the rotary embedding, which may be stretched by yarn, and rope_interleave (absent: true).
void read_latent_attention(const JsonObject& object, ModelConfig& config);

/// All of DeepSeek-V3 and its descendants but for which layers are mixtures of experts.
void read_latent_mixture(const JsonObject& object, ModelConfig& config);

/// first_key (the number of dense layers at the beginning) and moe_layer_freq: which layers are a mixture of
/// experts; one at least.
void read_moe_layers(const JsonObject& object, ModelConfig& config,
                     const char* first_key = "first_k_dense_replace");

/// decoder_sparse_step s and mlp_only_layers, as in Qwen's families: layer i is a mixture of experts where
/// (i + 1) % s == 0, unless it is listed. Absent: all are.
void read_sparse_layers(const JsonObject& object, ModelConfig& config);

/// All layers are mixtures of experts.
void set_all_layers_moe(ModelConfig& config);

/// n_group and topk_group, both absent: all experts are one group.
void read_groups(const JsonObject& object, ModelConfig& config);

/// use_sliding_window: refused where true, absent false; which window and which layers is not consulted.
void refuse_sliding_window(const JsonObject& object);

/// sliding_window and layer_types alone: without types no layer is sliding yet.
void read_window_and_types(const JsonObject& object, ModelConfig& config);

/// sliding_window; the sliding layers are listed in layer_types, or are those from max_window_layers on.
/// `use_sliding_window` is not consulted.
void read_window(const JsonObject& object, ModelConfig& config);

}  // namespace moescope
