#pragma once
/// config.json as a struct whose fields keep their Hugging Face names.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moescope {

/// One model's configuration. Sizes are positive and mutually consistent once parsed.
/// H = hidden_size, E = n_routed_experts, K = num_experts_per_tok, M = moe_intermediate_size, V = vocab_size.
struct ModelConfig {
  std::string model_type;    // "dots1"
  std::string architecture;  // architectures[0], may be empty
  std::int64_t hidden_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;  // absent: num_attention_heads
  std::int64_t head_dim = 0;             // absent: hidden_size / num_attention_heads
  std::int64_t intermediate_size = 0;    // width of the dense layers' MLP
  std::int64_t moe_intermediate_size = 0;
  std::int64_t n_routed_experts = 0;
  std::int64_t n_shared_experts = 0;  // 0: none
  std::int64_t num_experts_per_tok = 0;
  std::int64_t first_k_dense_replace = 0;
  std::int64_t moe_layer_freq = 1;
  std::int64_t n_group = 1;
  std::int64_t topk_group = 1;
  bool norm_topk_prob = false;
  double routed_scaling_factor = 1.0;
  std::string
      scoring_func;  // "sigmoid"; the early spelling "noaux_tc" is read as sigmoid with a correction bias
  double rms_norm_eps = 0;
  double rope_theta = 0;
  std::int64_t max_position_embeddings = 0;
  std::optional<std::int64_t> sliding_window;
  std::int64_t max_window_layers = 0;
  std::vector<std::string>
      layer_types;  // "full_attention" or "sliding_attention" per layer; empty: not listed
  bool attention_bias = false;
  bool tie_word_embeddings = false;
  std::int64_t vocab_size = 0;
  std::optional<std::int64_t> eos_token_id;
  std::string torch_dtype;  // "bfloat16"; newer files call the key dtype; empty when absent

  bool is_moe_layer(std::int64_t layer) const;
  /// Whether `layer` sees only the last sliding_window tokens.
  bool is_sliding_layer(std::int64_t layer) const;
  /// Model layer indices of the MoE layers, ascending: the dimension L.
  std::vector<std::int64_t> moe_layers() const;
};

/// Throws FormatError (bad JSON, a missing or senseless key, by name) or UnsupportedModel (unknown
/// model_type, rope type, quantisation, scoring function …). `file` names the source in messages.
ModelConfig parse_model_config(std::string_view json, const std::string& file);

/// Names of the fields in which two configurations differ, e.g. {"max_position_embeddings: 8192, 32768"}.
std::vector<std::string> config_differences(const ModelConfig& a, const ModelConfig& b);

}  // namespace moescope
