#pragma once
/// Tiny, valid, random dots1 checkpoints in Hugging Face layout, and ways to break them.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "readers/dtype.h"

namespace moescope {

/// A model small enough that a test writes hundreds of them. The names are those of config.json.
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

/// One tensor in memory. `data` holds the little-endian elements, row-major.
struct BuiltTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  std::string data;
};

/// A checkpoint before it is written: everything may be changed.
struct BuiltCheckpoint {
  nlohmann::ordered_json config;
  std::vector<BuiltTensor> tensors;  // in the order in which they are stored
  std::size_t shards = 1;

  /// Throws std::out_of_range when there is no such tensor.
  BuiltTensor& tensor(const std::string& name);
  void drop(const std::string& name);
  /// Writes config.json, the shards, and the index when there are several. Throws std::system_error.
  void write(const std::filesystem::path& directory) const;
};

BuiltCheckpoint build_checkpoint(const CheckpointOptions& options = {});

/// build_checkpoint and write in one.
void write_checkpoint(const std::filesystem::path& directory, const CheckpointOptions& options = {});

/// The bytes of one shard: header length, header, data. `metadata` goes into "__metadata__" unless null.
std::string safetensors_bytes(const std::vector<BuiltTensor>& tensors,
                              const nlohmann::ordered_json& metadata = {{"format", "pt"}});

/// A shard with this text as its header, followed by `buffer`.
std::string safetensors_bytes(std::string_view header, std::string_view buffer);

/// Numbers as elements of `dtype` (bf16 and f16 round to nearest even).
std::string encode_elements(const std::vector<float>& values, DType dtype);

/// Applies `edit` to a JSON file.
void edit_json(const std::filesystem::path& file, const std::function<void(nlohmann::ordered_json&)>& edit);

/// Applies `edit` to the header of a shard and leaves its byte buffer as it is.
void edit_header(const std::filesystem::path& shard, const std::function<void(std::string&)>& edit);

/// Applies `edit` to all bytes of a file.
void edit_bytes(const std::filesystem::path& file, const std::function<void(std::string&)>& edit);

}  // namespace moescope
