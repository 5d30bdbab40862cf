#include "tests/support/checkpoint_plan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace moescope {
namespace {

using Json = nlohmann::ordered_json;

std::uint64_t extent(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

/// Lists the tensors module by module.
class Planner {
 public:
  explicit Planner(const CheckpointOptions& options) : options_(options) {}
  std::vector<PlannedTensor> plan();

 private:
  void add_matrix(const std::string& name, std::int64_t rows, std::int64_t cols, double deviation = 0);
  void add_projection(const std::string& name, std::int64_t rows, std::int64_t cols);
  void add_vector(const std::string& name, std::int64_t length, double mean);
  void add_attention(const std::string& prefix);
  void add_mlp(const std::string& prefix, std::int64_t width);
  void add_moe(const std::string& prefix);

  const CheckpointOptions& options_;
  std::vector<PlannedTensor> tensors_;
};

// Products keep the size of what they multiply: at full width a deviation of 0.016 to 0.027.
void Planner::add_matrix(const std::string& name, std::int64_t rows, std::int64_t cols, double deviation) {
  if (deviation == 0) deviation = 1 / std::sqrt(static_cast<double>(cols));
  tensors_.push_back({name, options_.dtype, {extent(rows), extent(cols)}, 0, deviation});
}

void Planner::add_projection(const std::string& name, std::int64_t rows, std::int64_t cols) {
  add_matrix(name, rows, cols);
  tensors_.back().projection = true;
}

void Planner::add_vector(const std::string& name, std::int64_t length, double mean) {
  tensors_.push_back({name, options_.dtype, {extent(length)}, mean, 0.1});
}

void Planner::add_attention(const std::string& prefix) {
  const std::int64_t head_dim =
      options_.head_dim != 0 ? options_.head_dim : options_.hidden_size / options_.num_attention_heads;
  const std::int64_t query = options_.num_attention_heads * head_dim;
  const std::int64_t key_value = options_.num_key_value_heads * head_dim;
  const std::pair<const char*, std::int64_t> projections[] = {
      {"q", query}, {"k", key_value}, {"v", key_value}};
  for (const auto& [letter, rows] : projections) {
    add_projection(prefix + letter + "_proj.weight", rows, options_.hidden_size);
    if (options_.attention_bias) add_vector(prefix + letter + "_proj.bias", rows, 0);
  }
  add_projection(prefix + "o_proj.weight", options_.hidden_size, query);
  if (options_.attention_bias) add_vector(prefix + "o_proj.bias", options_.hidden_size, 0);
  add_vector(prefix + "q_norm.weight", head_dim, 1);
  add_vector(prefix + "k_norm.weight", head_dim, 1);
}

void Planner::add_mlp(const std::string& prefix, std::int64_t width) {
  add_projection(prefix + "gate_proj.weight", width, options_.hidden_size);
  add_projection(prefix + "up_proj.weight", width, options_.hidden_size);
  add_projection(prefix + "down_proj.weight", options_.hidden_size, width);
}

void Planner::add_moe(const std::string& prefix) {
  for (std::int64_t expert = 0; expert < options_.n_routed_experts; ++expert) {
    add_mlp(prefix + "experts." + std::to_string(expert) + ".", options_.moe_intermediate_size);
  }
  add_matrix(prefix + "gate.weight", options_.n_routed_experts, options_.hidden_size);
  tensors_.push_back({prefix + "gate.e_score_correction_bias",
                      options_.bias_dtype,
                      {extent(options_.n_routed_experts)},
                      0,
                      options_.bias_scale});
  if (options_.n_shared_experts > 0) {
    add_mlp(prefix + "shared_experts.", options_.n_shared_experts * options_.moe_intermediate_size);
  }
}

std::vector<PlannedTensor> Planner::plan() {
  add_matrix("model.embed_tokens.weight", options_.vocab_size, options_.hidden_size, 1);
  for (std::int64_t layer = 0; layer < options_.num_hidden_layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    add_attention(prefix + "self_attn.");
    const bool moe = layer >= options_.first_k_dense_replace && layer % options_.moe_layer_freq == 0;
    if (moe) add_moe(prefix + "mlp.");
    if (!moe) add_mlp(prefix + "mlp.", options_.intermediate_size);
    add_vector(prefix + "input_layernorm.weight", options_.hidden_size, 1);
    add_vector(prefix + "post_attention_layernorm.weight", options_.hidden_size, 1);
  }
  add_vector("model.norm.weight", options_.hidden_size, 1);
  if (!options_.tie_word_embeddings) add_matrix("lm_head.weight", options_.vocab_size, options_.hidden_size);
  return std::move(tensors_);
}

}  // namespace

CheckpointOptions dots_llm1_options() {
  CheckpointOptions options;
  options.hidden_size = 4096;
  options.num_hidden_layers = 62;
  options.num_attention_heads = 32;
  options.num_key_value_heads = 32;
  options.intermediate_size = 10944;
  options.moe_intermediate_size = 1408;
  options.n_routed_experts = 128;
  options.n_shared_experts = 2;
  options.num_experts_per_tok = 6;
  options.vocab_size = 152064;
  options.eos_token_id = 151643;
  options.max_position_embeddings = 32768;
  options.rms_norm_eps = 1e-5;
  return options;
}

std::uint64_t PlannedTensor::size() const {
  std::uint64_t count = 1;
  for (const std::uint64_t length : shape) count *= length;
  return count;
}

std::uint64_t PlannedTensor::bytes() const {
  return size() * dtype_bits(dtype) / 8;
}

std::vector<PlannedTensor> plan_tensors(const CheckpointOptions& options) {
  return Planner(options).plan();
}

Json plan_config(const CheckpointOptions& options) {
  const auto null_if_zero = [](std::int64_t value) { return value == 0 ? Json() : Json(value); };
  const char* dtype = options.dtype == DType::bf16  ? "bfloat16"
                      : options.dtype == DType::f16 ? "float16"
                                                    : "float32";
  Json config = {{"architectures", {"Dots1ForCausalLM"}},
                 {"attention_bias", options.attention_bias},
                 {"eos_token_id", std::min(options.eos_token_id, options.vocab_size - 1)},
                 {"first_k_dense_replace", options.first_k_dense_replace},
                 {"hidden_act", "silu"},
                 {"hidden_size", options.hidden_size},
                 {"intermediate_size", options.intermediate_size},
                 {"max_position_embeddings", options.max_position_embeddings},
                 {"max_window_layers", options.max_window_layers},
                 {"model_type", "dots1"},
                 {"moe_intermediate_size", options.moe_intermediate_size},
                 {"moe_layer_freq", options.moe_layer_freq},
                 {"n_group", options.n_group},
                 {"n_routed_experts", options.n_routed_experts},
                 {"n_shared_experts", null_if_zero(options.n_shared_experts)},
                 {"norm_topk_prob", options.norm_topk_prob},
                 {"num_attention_heads", options.num_attention_heads},
                 {"num_experts_per_tok", options.num_experts_per_tok},
                 {"num_hidden_layers", options.num_hidden_layers},
                 {"num_key_value_heads", options.num_key_value_heads},
                 {"rms_norm_eps", options.rms_norm_eps},
                 {"rope_scaling", nullptr},
                 {"rope_theta", 1e7},
                 {"routed_scaling_factor", options.routed_scaling_factor},
                 {"scoring_func", "sigmoid"},
                 {"sliding_window", null_if_zero(options.sliding_window)},
                 {"tie_word_embeddings", options.tie_word_embeddings},
                 {"topk_group", options.topk_group},
                 {"topk_method", "noaux_tc"},
                 {"torch_dtype", dtype},
                 {"vocab_size", options.vocab_size}};
  if (options.head_dim != 0) config["head_dim"] = options.head_dim;
  if (!options.layer_types.empty()) config["layer_types"] = options.layer_types;
  return config;
}

std::string shard_name(std::size_t number, std::size_t shards) {
  if (shards == 1) return "model.safetensors";
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", number + 1, shards);
  return name;
}

}  // namespace moescope
