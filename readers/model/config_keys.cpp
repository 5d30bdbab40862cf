#include "readers/model/config_keys.h"

#include <algorithm>

#include "readers/model/rotary_keys.h"

namespace moescope {
namespace {

using nlohmann::json;

/// (N), or empty where the file lists no types.
std::vector<bool> read_layer_types(const JsonObject& object, const ModelConfig& config) {
  const char* key = "layer_types";
  if (object.find(key) == nullptr) return {};
  std::vector<bool> sliding = read_choices(object, key, "sliding_attention", "full_attention", config);
  if (!config.attention.window && std::ranges::find(sliding, true) != sliding.end())
    object.fail(key, "holds \"sliding_attention\", but sliding_window is null");
  return sliding;
}

}  // namespace

std::int64_t integer_or(const JsonObject& object, const char* key, std::int64_t absent, std::int64_t least,
                        std::int64_t greatest) {
  return object.find(key) == nullptr ? absent : object.integer(key, least, greatest);
}

bool boolean_or(const JsonObject& object, const char* key, bool absent) {
  return object.find(key) == nullptr ? absent : object.boolean(key);
}

double number_or(const JsonObject& object, const char* key, double absent) {
  if (object.find(key) == nullptr) return absent;
  return object.at(key) == 0 ? 0 : object.positive_number(key);
}

std::vector<std::int64_t> read_integers(const JsonObject& object, const char* key, std::int64_t least,
                                        std::int64_t greatest) {
  const json& list = object.at(key);
  if (!list.is_array()) object.fail(key, "expected an array of integers, found " + excerpt(list));
  std::vector<std::int64_t> values;
  for (const json& value : list) {
    if (!value.is_number_integer() || value < least || value > greatest) {
      object.fail(key, "expected integers from " + std::to_string(least) + " to " + std::to_string(greatest) +
                           ", found " + excerpt(value));
    }
    values.push_back(value.get<std::int64_t>());
  }
  return values;
}

void require_each_layer(const JsonObject& object, const char* key, std::size_t entries,
                        const ModelConfig& config) {
  if (entries == static_cast<std::size_t>(config.num_hidden_layers)) return;
  object.fail(key, "does not name every layer (expected " + std::to_string(config.num_hidden_layers) +
                       " entries, found " + std::to_string(entries) + ")");
}

std::vector<bool> read_choices(const JsonObject& object, const char* key, const char* first,
                               const char* second, const ModelConfig& config) {
  const json& list = object.at(key);
  if (!list.is_array()) object.fail(key, "expected an array of strings, found " + excerpt(list));
  require_each_layer(object, key, list.size(), config);
  std::vector<bool> is_first;
  for (const json& word : list) {
    if (!word.is_string()) object.fail(key, "expected an array of strings, found " + excerpt(word));
    if (word != first && word != second) object.unsupported(key, "holds the unknown " + excerpt(word));
    is_first.push_back(word == first);
  }
  return is_first;
}

void refuse_value(const JsonObject& object, const char* key, const std::string& expected) {
  object.unsupported(key,
                     "is not supported (expected " + expected + ", found " + excerpt(object.at(key)) + ")");
}

void refuse_value_of_family(const JsonObject& object, const char* key, const std::string& expected) {
  if (object.find("model_type") == nullptr) refuse_value(object, key, expected);  // Megatron's arguments
  object.unsupported(key, "is not supported for model_type " + excerpt(object.at("model_type")) +
                              " (expected " + expected + ", found " + excerpt(object.at(key)) + ")");
}

void pass_over(const JsonObject& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) object.find(key, KeyUse::without_effect);
}

void require_string(const JsonObject& object, const char* key, const char* expected) {
  if (object.find(key, KeyUse::checked) != nullptr && object.string(key) != expected)
    refuse_value_of_family(object, key, excerpt(expected));
}

void require_boolean(const JsonObject& object, const char* key, bool expected) {
  object.find(key, KeyUse::checked);
  if (boolean_or(object, key, expected) != expected) refuse_value_of_family(object, key, excerpt(expected));
}

void require_integer(const JsonObject& object, const char* key, std::int64_t expected) {
  const json* value = object.find(key, KeyUse::checked);
  if (value != nullptr && *value != expected) refuse_value_of_family(object, key, excerpt(expected));
}

void read_latent_heads(const JsonObject& object, ModelConfig& config) {
  pass_over(object, {"head_dim", "qk_head_dim", "num_key_value_heads"});
  constexpr std::int64_t widest = std::int64_t{1} << 20, widest_head = 65'536;
  LatentScheme latent;
  latent.query_rank = integer_or(object, "q_lora_rank", 0, 1, widest);
  latent.key_value_rank = object.integer("kv_lora_rank", 1, widest);
  latent.own_features = object.integer("qk_nope_head_dim", 1, widest_head);
  latent.shared_features = object.integer("qk_rope_head_dim", 2, widest_head);
  for (const char* key : {"qk_nope_head_dim", "qk_rope_head_dim"}) {
    if (object.integer(key, 1, widest_head) % 2 != 0)
      object.fail(key, "expected an even number, found " + excerpt(object.at(key)));
  }
  config.head_dim = latent.own_features + latent.shared_features;
  config.value_head_dim = object.integer("v_head_dim", 1, widest_head);
  config.num_key_value_heads = config.num_attention_heads;
  config.attention.latent = latent;
}

void read_shared_experts(const JsonObject& object, ModelConfig& config) {
  const bool without_shared = object.has_null("n_shared_experts");
  config.n_shared_experts = without_shared ? 0 : object.integer("n_shared_experts", 0, 65'536);
}

void read_single_shared_expert(const JsonObject& object, ModelConfig& config) {
  config.n_shared_experts = 1;
  config.shared_intermediate_size = object.integer("shared_expert_intermediate_size", 1, 1 << 20);
}

std::vector<bool> all_but_each(std::int64_t n, const ModelConfig& config) {
  std::vector<bool> layers;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    layers.push_back((layer + 1) % n != 0);
  return layers;
}

void read_linear_attention(const JsonObject& object, ModelConfig& config) {
  constexpr std::int64_t most = 65'536;
  LinearScheme& linear = config.attention.linear.emplace();
  linear.key_heads = object.integer("linear_num_key_heads", 1, most);
  linear.value_heads = object.integer("linear_num_value_heads", 1, most);
  linear.key_features = object.integer("linear_key_head_dim", 1, most);
  linear.value_features = object.integer("linear_value_head_dim", 1, most);
  linear.taps = object.integer("linear_conv_kernel_dim", 1, 1'024);
  if (linear.value_heads % linear.key_heads != 0) {
    object.fail("linear_num_value_heads", std::to_string(linear.value_heads) +
                                              " is not a multiple of linear_num_key_heads " +
                                              std::to_string(linear.key_heads));
  }
  if (object.find("layer_types") != nullptr) {
    linear.layers = read_choices(object, "layer_types", "linear_attention", "full_attention", config);
    pass_over(object, {"full_attention_interval"});
    return;
  }
  linear.layers = all_but_each(integer_or(object, "full_attention_interval", 4, 1, 10'000), config);
}

void read_gated_attention(const JsonObject& object, ModelConfig& config) {
  read_linear_attention(object, config);
  require_boolean(object, "attention_bias", false);
  config.attention.query_key_norm = QueryKeyNorm::per_head;
  config.gain_offset = 1;
  pass_over(object, {"mamba_ssm_dtype"});  // the memory of linear attention: always float32 here
  read_partial_rotary(object, config, 0.25);
}

void read_softmax_routing(const JsonObject& object, ModelConfig& config) {
  config.routing.score = ScoreFunction::softmax;
  config.routing.renormalise = object.boolean("norm_topk_prob");
}

void set_sigmoid_routing(ModelConfig& config, bool renormalise, double scale) {
  RoutingScheme& routing = config.routing;
  routing.score = ScoreFunction::sigmoid;
  routing.renormalise = renormalise;
  routing.epsilon = 1e-20;
  routing.scale = scale;
}

void read_sigmoid_routing(const JsonObject& object, ModelConfig& config) {
  read_groups(object, config);
  set_sigmoid_routing(config, object.boolean("norm_topk_prob"),
                      object.positive_number("routed_scaling_factor"));
}

void read_latent_attention(const JsonObject& object, ModelConfig& config) {
  config.attention.bias = boolean_or(object, "attention_bias", false);
  read_whole_rotary(object, config, {RotaryStretch::yarn});
  config.attention.rotary.interleaved = boolean_or(object, "rope_interleave", true);
}

void read_latent_mixture(const JsonObject& object, ModelConfig& config) {
  require_string(object, "scoring_func", "sigmoid");
  require_string(object, "topk_method", "noaux_tc");
  read_shared_experts(object, config);
  read_sigmoid_routing(object, config);
  read_latent_attention(object, config);
}

void set_all_layers_moe(ModelConfig& config) {
  config.has_experts.assign(static_cast<std::size_t>(config.num_hidden_layers), true);
}

void read_sparse_layers(const JsonObject& object, ModelConfig& config) {
  const std::int64_t step = integer_or(object, "decoder_sparse_step", 1, 1, 10'000);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    config.has_experts.push_back((layer + 1) % step == 0);
  const char* key = "mlp_only_layers";
  if (object.find(key) != nullptr) {
    for (const std::int64_t layer : read_integers(object, key, 0, config.num_hidden_layers - 1))
      config.has_experts[static_cast<std::size_t>(layer)] = false;
  }
  if (config.moe_layers().empty())
    object.fail(key, "and decoder_sparse_step leave no mixture-of-experts layer");
}

void read_moe_layers(const JsonObject& object, ModelConfig& config, const char* first_key) {
  const std::int64_t dense = object.integer(first_key, 0, 10'000);
  const std::int64_t frequency = integer_or(object, "moe_layer_freq", 1, 1, 10'000);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    config.has_experts.push_back(layer >= dense && layer % frequency == 0);
  if (config.moe_layers().empty()) {
    object.fail(first_key, "leaves no mixture-of-experts layer among the " +
                               std::to_string(config.num_hidden_layers) + " layers");
  }
}

void read_groups(const JsonObject& object, ModelConfig& config) {
  RoutingScheme& routing = config.routing;
  routing.groups = integer_or(object, "n_group", 1, 1, config.n_routed_experts);
  routing.kept_groups = routing.groups > 1 ? object.integer("topk_group", 1, routing.groups)
                                           : integer_or(object, "topk_group", 1, 1, 1);
}

void refuse_sliding_window(const JsonObject& object) {
  const char* key = "use_sliding_window";
  object.find(key, KeyUse::checked);
  pass_over(object, {"sliding_window", "max_window_layers", "layer_types"});
  if (boolean_or(object, key, false)) refuse_value(object, key, "false");
}

void read_window_and_types(const JsonObject& object, ModelConfig& config) {
  AttentionScheme& attention = config.attention;
  if (object.find("sliding_window") != nullptr)
    attention.window = object.integer("sliding_window", 1, std::int64_t{1} << 40);
  attention.sliding = read_layer_types(object, config);
}

void read_window(const JsonObject& object, ModelConfig& config) {
  AttentionScheme& attention = config.attention;
  pass_over(object, {"use_sliding_window"});
  read_window_and_types(object, config);
  const bool by_index = attention.window && attention.sliding.empty();
  if (!by_index && object.find("max_window_layers") == nullptr) return;
  const std::int64_t first = object.integer("max_window_layers", 0, 1'000'000);
  if (!by_index) return;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    attention.sliding.push_back(layer >= first);
}

}  // namespace moescope
