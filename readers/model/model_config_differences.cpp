#include <nlohmann/json.hpp>

#include "readers/model/model_config.h"
#include "readers/model/size_field.h"

namespace moescope {
namespace {

using nlohmann::json;

/// Collects "name: a, b" for the fields that differ.
class Differences {
 public:
  void compare(std::string_view name, const json& a, const json& b) {
    if (a != b) found.push_back(std::string(name) + ": " + a.dump() + ", " + b.dump());
  }
  template <class T>
  void compare(const char* name, const std::optional<T>& a, const std::optional<T>& b) {
    const auto value = [](const std::optional<T>& x) { return x ? json(*x) : json(); };
    compare(name, value(a), value(b));
  }
  std::vector<std::string> found;
};

std::vector<std::size_t> sliding_layers(const AttentionScheme& attention) {
  std::vector<std::size_t> layers;
  for (std::size_t layer = 0; layer < attention.sliding.size(); ++layer) {
    if (attention.sliding[layer]) layers.push_back(layer);
  }
  return layers;
}

void compare_routing(const RoutingScheme& a, const RoutingScheme& b, Differences& differences) {
  differences.compare("n_group", a.groups, b.groups);
  differences.compare("topk_group", a.kept_groups, b.kept_groups);
  differences.compare("norm_topk_prob", a.renormalise, b.renormalise);
  differences.compare("routed_scaling_factor", a.scale, b.scale);
  differences.compare("experts that are always active", a.always, b.always);
  differences.compare("last experts that are always active", a.always_last, b.always_last);
  differences.compare("scoring_func", score_function_name(a.score), score_function_name(b.score));
}

void compare_latent(const LatentScheme& a, const LatentScheme& b, Differences& differences) {
  differences.compare("q_lora_rank", a.query_rank, b.query_rank);
  differences.compare("kv_lora_rank", a.key_value_rank, b.key_value_rank);
  differences.compare("qk_nope_head_dim", a.own_features, b.own_features);
  differences.compare("qk_rope_head_dim", a.shared_features, b.shared_features);
}

void compare_linear(const LinearScheme& a, const LinearScheme& b, Differences& differences) {
  differences.compare("linear_num_key_heads", a.key_heads, b.key_heads);
  differences.compare("linear_num_value_heads", a.value_heads, b.value_heads);
  differences.compare("linear_key_head_dim", a.key_features, b.key_features);
  differences.compare("linear_value_head_dim", a.value_features, b.value_features);
  differences.compare("linear_conv_kernel_dim", a.taps, b.taps);
  if (a.layers != b.layers) differences.found.push_back("layers with linear attention");
}

void compare_rotary(const RotaryScheme& a, const RotaryScheme& b, Differences& differences) {
  differences.compare("rope_theta", a.base, b.base);
  differences.compare("rope scaling factor", a.scaling.factor, b.scaling.factor);
  differences.compare("rope_interleave", a.interleaved, b.interleaved);
  const auto rest = [](RotaryScheme scheme) {
    scheme.base = scheme.scaling.factor = 0;
    scheme.interleaved = false;
    scheme.features = scheme.first = 0;
    return scheme;
  };
  if (rest(a) != rest(b)) differences.found.push_back("rope scaling");
}

double rotated_share(const ModelConfig& config) {
  return static_cast<double>(config.attention.rotary.features) / static_cast<double>(config.head_dim);
}

void compare_attention(const ModelConfig& a, const ModelConfig& b, Differences& differences) {
  compare_rotary(a.attention.rotary, b.attention.rotary, differences);
  compare_latent(a.attention.latent.value_or(LatentScheme{}), b.attention.latent.value_or(LatentScheme{}),
                 differences);
  compare_linear(a.attention.linear.value_or(LinearScheme{}), b.attention.linear.value_or(LinearScheme{}),
                 differences);
  differences.compare("rotated share of a head", rotated_share(a), rotated_share(b));
  differences.compare("sliding_window", a.attention.window, b.attention.window);
  differences.compare("sliding layers", sliding_layers(a.attention), sliding_layers(b.attention));
  differences.compare("clip_qkv", a.attention.clip, b.attention.clip);
  differences.compare("attention_bias", a.attention.bias, b.attention.bias);
}

}  // namespace

std::vector<std::string> config_differences(const ModelConfig& a, const ModelConfig& b) {
  Differences differences;
  differences.compare("model_type", a.model_type, b.model_type);
  for (const SizeField& size : size_fields) differences.compare(size.name, a.*size.field, b.*size.field);
  differences.compare("num_key_value_heads", a.num_key_value_heads, b.num_key_value_heads);
  differences.compare("head_dim", a.head_dim, b.head_dim);
  differences.compare("v_head_dim", a.value_head_dim, b.value_head_dim);
  differences.compare("scale of embeddings", a.embedding_scale, b.embedding_scale);
  differences.compare("n_shared_experts", a.n_shared_experts, b.n_shared_experts);
  differences.compare("width of the shared experts", a.shared_intermediate_size, b.shared_intermediate_size);
  differences.compare("MoE layers", a.moe_layers(), b.moe_layers());
  differences.compare("swiglu_limit", a.activation.limit, b.activation.limit);
  differences.compare("mlp_bias", a.dense_bias, b.dense_bias);
  compare_routing(a.routing, b.routing, differences);
  differences.compare("rms_norm_eps", a.rms_norm_eps, b.rms_norm_eps);
  compare_attention(a, b, differences);
  differences.compare("tie_word_embeddings", a.tie_word_embeddings, b.tie_word_embeddings);
  differences.compare("eos_token_id", a.eos_token_id, b.eos_token_id);
  if (!a.torch_dtype.empty() && !b.torch_dtype.empty())  // GGUF files tell none
    differences.compare("torch_dtype", a.torch_dtype, b.torch_dtype);
  return differences.found;
}

}  // namespace moescope
