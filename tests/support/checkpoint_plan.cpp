#include "tests/support/checkpoint_plan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "readers/model/weight_table.h"

namespace moescope {
namespace {

using Json = nlohmann::ordered_json;

/// Of the stored numbers: 4.3 of it, the most there is, stay below 448, the largest E4M3 number.
constexpr double float8_deviation = 100;

/// What a release stores in 8 bits where it stores anything so.
bool is_projection(const WeightRule& rule) {
  const RoleGroup group = role_group(rule.role);
  return !rule.is_vector() && !rule.depthwise && rule.rows != Extent::single &&
         (group == RoleGroup::attention || group == RoleGroup::dense_mlp ||
          group == RoleGroup::routed_expert || group == RoleGroup::shared_expert);
}

/// A tensor of this weight, without its values.
PlannedTensor plan_shape(const WeightRule& rule, const WeightKey& key, const ModelConfig& config) {
  PlannedTensor tensor;
  tensor.name = tensor_name(family_of(config), rule.name, key.layer, key.expert);
  tensor.shape = stored_shape(rule, config);
  tensor.projection = is_projection(rule);
  return tensor;
}

/// At full width a matrix has a deviation of 0.01 to 0.03.
void plan_values(const WeightRule& rule, const PlannedStorage& storage, PlannedTensor& tensor) {
  tensor.dtype = storage.dtype == DType::f8_e4m3 ? DType::bf16 : storage.dtype;
  if (rule.role == Role::score_correction_bias) {
    tensor.dtype = storage.bias_dtype;
    tensor.deviation = storage.bias_deviation;
  } else if (rule.is_vector()) {
    tensor.mean = role_group(rule.role) == RoleGroup::norm ? 1 : 0;
    tensor.deviation = 0.1;
  } else if (rule.role != Role::embedding) {
    tensor.deviation = 1 / std::sqrt(static_cast<double>(tensor.shape.back()));
  }
}

/// Stores a matrix in 8 bits; returns its scales.
PlannedTensor quantise(PlannedTensor& tensor) {
  PlannedTensor scales = tensor;
  scales.name += "_scale_inv";
  scales.dtype = DType::f32;
  for (std::uint64_t& length : scales.shape) length = (length + scale_block - 1) / scale_block;
  scales.mean = tensor.deviation / float8_deviation;
  scales.deviation = 0.1 * scales.mean;
  tensor.dtype = DType::f8_e4m3;
  tensor.deviation = float8_deviation;
  return scales;
}

}  // namespace

std::uint64_t PlannedTensor::size() const {
  std::uint64_t count = 1;
  for (const std::uint64_t length : shape) count *= length;
  return count;
}

std::uint64_t PlannedTensor::bytes() const {
  return size() * dtype_bytes(dtype, 1);
}

std::vector<PlannedTensor> plan_tensors(const ModelConfig& config, const PlannedStorage& storage) {
  std::vector<PlannedTensor> tensors;
  visit_weights(config, [&](const WeightRule& rule, const WeightKey& key) {
    PlannedTensor tensor = plan_shape(rule, key, config);
    plan_values(rule, storage, tensor);
    const bool quantised = tensor.projection && storage.dtype == DType::f8_e4m3;
    const PlannedTensor scales = quantised ? quantise(tensor) : PlannedTensor{};
    tensors.push_back(std::move(tensor));
    if (quantised) tensors.push_back(scales);
  });
  return tensors;
}

std::vector<PlannedTensor> plan_tensors(const CheckpointOptions& options) {
  const ModelConfig config = parse_model_config(plan_config(options).dump(), "config.json");
  return plan_tensors(config, {options.dtype, options.bias_dtype, options.bias_scale});
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
