#pragma once
/// Which tensors a checkpoint has, before any of them exists: those that its model's family describes.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "readers/model/model_config.h"
#include "readers/storage/dtype.h"

namespace moescope {

/// The shape and the looks of a dots1 model; by default so small that a test writes hundreds of them. The
/// names are those of config.json.
struct CheckpointOptions {
  std::int64_t hidden_size = 16;
  std::int64_t num_hidden_layers = 3;
  std::int64_t num_attention_heads = 4;
  std::int64_t num_key_value_heads = 2;
  std::int64_t head_dim = 0;  // 0: left out of config.json, hidden_size / num_attention_heads
  std::int64_t intermediate_size = 24;
  std::int64_t moe_intermediate_size = 8;
  std::int64_t n_routed_experts = 8;
  std::int64_t n_shared_experts = 1;
  std::int64_t num_experts_per_tok = 2;
  std::int64_t first_k_dense_replace = 1;
  std::int64_t moe_layer_freq = 1;
  std::int64_t n_group = 1;
  std::int64_t topk_group = 1;
  std::int64_t vocab_size = 40;
  std::int64_t eos_token_id = 1;  // at most vocab_size - 1 is written
  std::int64_t max_position_embeddings = 2048;
  double rms_norm_eps = 1e-6;
  bool norm_topk_prob = true;
  double routed_scaling_factor = 2.5;
  bool attention_bias = false;
  bool tie_word_embeddings = false;
  std::int64_t sliding_window = 0;  // 0: null
  std::int64_t max_window_layers = 0;
  std::vector<std::string> layer_types;  // empty: left out
  DType dtype = DType::bf16;             // bf16, f16 or f32
  DType bias_dtype = DType::f32;         // of e_score_correction_bias
  double bias_scale = 0.01;              // standard deviation of e_score_correction_bias
  bool fused_experts = false;
  std::size_t shards = 1;  // above 1: model-00001-of-0000N.safetensors with an index
  std::uint64_t seed = 1;  // the same model for the same options; each value differs from tensor to tensor
};

/// The content of config.json.
nlohmann::ordered_json plan_config(const CheckpointOptions& options);

/// How a model's weights are stored.
struct PlannedStorage {
  DType dtype = DType::bf16;      // F8_E4M3: projections, scaled in blocks; all else is BF16 then
  DType bias_dtype = DType::f32;  // of the router's score correction
  double bias_deviation = 0.01;   // of the same
};

/// Sides of a block of F8_E4M3 elements that share a scale.
inline constexpr std::uint64_t scale_block = 128;

/// A tensor to be made: its values are normally distributed.
struct PlannedTensor {
  std::string name;
  DType dtype = DType::bf16;
  std::vector<std::uint64_t> shape;
  double mean = 0, deviation = 1;
  bool projection = false;  // of a layer's attention or MLP: what a model of full width mostly consists of

  std::uint64_t size() const;   // elements
  std::uint64_t bytes() const;  // as stored
};

/// In canonical order, scales behind what they scale. Matrices keep the size of what they multiply, gains lie
/// around 1, biases around 0. Experts are not fused.
std::vector<PlannedTensor> plan_tensors(const ModelConfig& config, const PlannedStorage& storage);
std::vector<PlannedTensor> plan_tensors(const CheckpointOptions& options);

/// "model.safetensors" when there is but one, else "model-00003-of-00061.safetensors" for number 2.
std::string shard_name(std::size_t number, std::size_t shards);

}  // namespace moescope
