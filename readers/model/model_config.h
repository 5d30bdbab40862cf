#pragma once
/// config.json as a struct: sizes under their usual Hugging Face names, whatever a family calls them, and
/// what the family does with them as schemes.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "readers/model/attention_scheme.h"
#include "readers/model/config_key.h"
#include "readers/model/routing_scheme.h"

namespace moescope {

struct Family;

/// A key of the arguments of a Megatron-LM run, by which they are known: they have no model_type.
inline constexpr const char* megatron_key = "padded_vocab_size";

/// What an MLP makes of a gate g and an up u: silu(g) u, or with a limit m, as in gpt-oss, g' sigmoid(1.702
/// g') (u' + 1) with g' = min(g, m), u' = clamp(u, -m, m).
struct ActivationScheme {
  std::optional<double> limit;
  bool operator==(const ActivationScheme&) const = default;
};

/// What has a scale of its own in quantised weights.
enum class ScaledBy : std::uint8_t { nothing, blocks, rows, parts_of_rows };

/// How weights are quantised: in 8 bits with one scale for each block of so many elements, or for each row;
/// or experts in 4 bits with one for each 32 elements of a row (MXFP4). This is what to expect before they
/// are there; then their dtypes and the names beside them tell.
struct Quantisation {
  ScaledBy scaled_by = ScaledBy::nothing;  // nothing: they are not quantised
  std::int64_t block_rows = 128, block_cols = 128;
};

/// One model's configuration. Sizes are positive and mutually consistent once parsed; a family without
/// routed or shared experts has 0 of them.
/// H = hidden_size, E = n_routed_experts, K = num_experts_per_tok, M = moe_intermediate_size, V = vocab_size,
/// N = num_hidden_layers.
struct ModelConfig {
  const Family* family = nullptr;  // by which it was read; it outlives every configuration
  std::string model_type;          // the family's
  std::string architecture;        // architectures[0], may be empty
  std::int64_t hidden_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;  // absent: num_attention_heads
  std::int64_t head_dim = 0;             // of queries and keys; absent: hidden_size / num_attention_heads
  std::int64_t value_head_dim = 0;       // of values; head_dim but for latent attention
  std::int64_t intermediate_size = 0;    // width of the dense layers' MLP
  std::int64_t moe_intermediate_size = 0;
  std::int64_t n_routed_experts = 0;
  std::int64_t n_shared_experts = 0;          // 0: none
  std::int64_t shared_intermediate_size = 0;  // of all shared experts together, which are one MLP
  std::int64_t num_experts_per_tok = 0;
  std::vector<bool> has_experts;  // (N) which layers are a mixture of experts; empty: none is
  bool dense_bias = false;        // of the dense layers' MLP
  RoutingScheme routing;
  AttentionScheme attention;
  ActivationScheme activation;  // of routed experts
  double rms_norm_eps = 0;
  double gain_offset = 0;      // added to the stored gains of norms, but for those of linear attention
  double embedding_scale = 1;  // of the embedding's rows as they enter layer 0
  std::int64_t max_position_embeddings = 0;
  bool tie_word_embeddings = false;
  std::int64_t vocab_size = 0;
  std::optional<std::int64_t> eos_token_id;
  Quantisation quantisation;
  std::string torch_dtype;      // "bfloat16"; newer files call the key dtype; empty when absent
  std::vector<ConfigKey> keys;  // of the file, and what became of them

  bool is_moe_layer(std::int64_t layer) const;
  /// Model layer indices of the MoE layers, ascending: the dimension L.
  std::vector<std::int64_t> moe_layers() const;
};

/// Throws FormatError (bad JSON, a missing or senseless key, by name) or UnsupportedModel (a model_type of
/// none of the families, an unknown rope type, quantisation, scoring function …). `file` names the source in
/// messages; the families must outlive the result.
ModelConfig parse_model_config(std::string_view json, const std::string& file,
                               std::span<const Family> families);
/// By the families that moescope knows.
ModelConfig parse_model_config(std::string_view json, const std::string& file);

/// Names of the fields in which two configurations differ, e.g. {"max_position_embeddings: 8192, 32768"}.
std::vector<std::string> config_differences(const ModelConfig& a, const ModelConfig& b);

}  // namespace moescope
