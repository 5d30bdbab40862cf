#include "readers/model/model_config.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "readers/errors.h"
#include "readers/text/strict_json.h"

namespace moescope {
namespace {

using nlohmann::json;

/// A model family: what config.json calls it, and how its router scores when the file does not say.
struct Family {
  const char* model_type;
  const char* architecture;
  const char* scoring_func;
};
constexpr Family families[] = {{"dots1", "Dots1ForCausalLM", "sigmoid"}};

/// An integer key that must be present. The limits exclude sizes whose products would overflow, or whose
/// loops would not end, long before any real model is reached.
struct SizeKey {
  const char* key;
  std::int64_t ModelConfig::*field;
  std::int64_t least, greatest;
};
constexpr std::int64_t largest_width = std::int64_t{1} << 20;
constexpr SizeKey size_keys[] = {
    {"hidden_size", &ModelConfig::hidden_size, 1, largest_width},
    {"num_hidden_layers", &ModelConfig::num_hidden_layers, 1, 10'000},
    {"num_attention_heads", &ModelConfig::num_attention_heads, 1, 65'536},
    {"intermediate_size", &ModelConfig::intermediate_size, 1, largest_width},
    {"moe_intermediate_size", &ModelConfig::moe_intermediate_size, 1, largest_width},
    {"n_routed_experts", &ModelConfig::n_routed_experts, 1, 65'536},
    {"num_experts_per_tok", &ModelConfig::num_experts_per_tok, 1, 65'536},
    {"first_k_dense_replace", &ModelConfig::first_k_dense_replace, 0, 10'000},
    {"max_position_embeddings", &ModelConfig::max_position_embeddings, 1, std::int64_t{1} << 40},
    {"vocab_size", &ModelConfig::vocab_size, 1, std::int64_t{1} << 28},
};

bool is_known_model_type(const std::string& model_type) {
  return std::any_of(std::begin(families), std::end(families),
                     [&](const Family& family) { return family.model_type == model_type; });
}

// Empty when the file names none.
std::string read_architecture(const JsonObject& object) {
  const json* list = object.find("architectures");
  if (list == nullptr || (list->is_array() && list->empty())) return {};
  if (list->is_array() && list->front().is_string()) return list->front().get<std::string>();
  object.fail("architectures", "expected an array of strings, found " + excerpt(*list));
}

// The architecture decides where model_type is shared by several families.
const Family& read_family(const JsonObject& object, ModelConfig& config) {
  config.model_type = object.string("model_type");
  config.architecture = read_architecture(object);
  if (!is_known_model_type(config.model_type)) {
    object.unsupported("model_type", "is not a model that moescope knows (expected \"dots1\", found " +
                                         excerpt(config.model_type) + ")");
  }
  for (const Family& family : families) {
    const bool same_architecture = config.architecture.empty() || config.architecture == family.architecture;
    if (config.model_type == family.model_type && same_architecture) return family;
  }
  object.unsupported("architectures", "is not an architecture that moescope knows for model_type " +
                                          excerpt(config.model_type) + " (found " +
                                          excerpt(config.architecture) + ")");
}

std::int64_t integer_or(const JsonObject& object, const char* key, std::int64_t absent, std::int64_t least,
                        std::int64_t greatest) {
  return object.find(key) == nullptr ? absent : object.integer(key, least, greatest);
}

// The first release wrote the name of the top-k method here: sigmoid scores with a correction bias.
// The reference implementation has neither key, so newer files may lack both.
std::string read_scoring_func(const JsonObject& object, const Family& family) {
  if (object.find("topk_method") != nullptr && object.string("topk_method") != "noaux_tc") {
    object.unsupported("topk_method", "is not supported (expected \"noaux_tc\", found " +
                                          excerpt(object.at("topk_method")) + ")");
  }
  if (object.find("scoring_func") == nullptr) return family.scoring_func;
  const std::string name = object.string("scoring_func");
  if (name == "noaux_tc" || name == family.scoring_func) return family.scoring_func;
  object.unsupported("scoring_func", "is not supported for model_type " +
                                         excerpt(std::string(family.model_type)) + " (expected \"" +
                                         family.scoring_func + "\", found " + excerpt(name) + ")");
}

// A type that is absent means "default" only where nothing else describes a scaling.
void require_default_rope(const JsonObject& rope) {
  bool named = false;
  for (const char* key : {"rope_type", "type"}) {
    if (rope.find(key) == nullptr) continue;
    named = true;
    if (rope.string(key) == "default") continue;
    rope.unsupported(key, "is a rotary embedding that moescope does not know (expected \"default\", found " +
                              excerpt(rope.at(key)) + ")");
  }
  for (const char* key : {"factor", "full_attention", "sliding_attention"}) {
    if (named || rope.find(key) == nullptr) continue;
    rope.unsupported(key, "is a rotary embedding that moescope does not know");
  }
}

void require_whole_head_rotated(const JsonObject& object) {
  const char* key = "partial_rotary_factor";
  if (object.find(key) == nullptr || object.positive_number(key) == 1.0) return;
  object.unsupported(key, "is not supported (expected 1, found " + excerpt(object.at(key)) + ")");
}

double read_rope_theta(const JsonObject& object) {
  require_whole_head_rotated(object);
  if (const json* scaling = object.find("rope_scaling")) {
    require_default_rope(JsonObject(*scaling, object.file(), "rope_scaling"));
  }
  const json* parameters = object.find("rope_parameters");
  if (parameters == nullptr) return object.positive_number("rope_theta");
  const JsonObject rope(*parameters, object.file(), "rope_parameters");
  require_default_rope(rope);
  require_whole_head_rotated(rope);
  if (rope.find("rope_theta") == nullptr) return object.positive_number("rope_theta");
  const double theta = rope.positive_number("rope_theta");
  if (object.find("rope_theta") != nullptr && object.positive_number("rope_theta") != theta) {
    object.fail("rope_theta", "differs from rope_parameters.rope_theta (expected " +
                                  excerpt(rope.at("rope_theta")) + ", found " +
                                  excerpt(object.at("rope_theta")) + ")");
  }
  return theta;
}

std::vector<std::string> read_layer_types(const JsonObject& object, const ModelConfig& config) {
  const json* list = object.find("layer_types");
  if (list == nullptr) return {};
  if (!list->is_array()) object.fail("layer_types", "expected an array of strings, found " + excerpt(*list));
  if (list->size() != static_cast<std::size_t>(config.num_hidden_layers)) {
    object.fail("layer_types", "does not name every layer (expected " +
                                   std::to_string(config.num_hidden_layers) + " entries, found " +
                                   std::to_string(list->size()) + ")");
  }
  std::vector<std::string> types;
  for (const json& type : *list) {
    if (!type.is_string()) object.fail("layer_types", "expected an array of strings, found " + excerpt(type));
    types.push_back(type.get<std::string>());
    if (types.back() == "full_attention") continue;
    if (types.back() != "sliding_attention")
      object.unsupported("layer_types", "holds the unknown " + excerpt(type));
    if (!config.sliding_window)
      object.fail("layer_types", "holds \"sliding_attention\", but sliding_window is null");
  }
  return types;
}

// `use_sliding_window` is not consulted: the reference model does not know it.
void read_attention(const JsonObject& object, ModelConfig& config) {
  config.num_key_value_heads =
      integer_or(object, "num_key_value_heads", config.num_attention_heads, 1, config.num_attention_heads);
  config.attention_bias = object.boolean("attention_bias");
  if (object.find("sliding_window") != nullptr) {
    config.sliding_window = object.integer("sliding_window", 1, std::int64_t{1} << 40);
  }
  config.layer_types = read_layer_types(object, config);
  const bool window_by_index = config.sliding_window && config.layer_types.empty();
  config.max_window_layers = window_by_index || object.find("max_window_layers") != nullptr
                                 ? object.integer("max_window_layers", 0, 1'000'000)
                                 : config.num_hidden_layers;
}

void read_head_dim(const JsonObject& object, ModelConfig& config) {
  if (object.find("head_dim") != nullptr) {
    config.head_dim = object.integer("head_dim", 1, 65'536);
  } else if (config.hidden_size % config.num_attention_heads == 0) {
    config.head_dim = config.hidden_size / config.num_attention_heads;
  } else {
    object.fail("head_dim", "is missing, and hidden_size " + std::to_string(config.hidden_size) +
                                " is not a multiple of num_attention_heads " +
                                std::to_string(config.num_attention_heads));
  }
  if (config.head_dim % 2 != 0) {
    object.fail("head_dim", "expected an even number, found " + std::to_string(config.head_dim));
  }
}

void read_router(const JsonObject& object, const Family& family, ModelConfig& config) {
  const bool without_shared = object.has_null("n_shared_experts");
  config.n_shared_experts = without_shared ? 0 : object.integer("n_shared_experts", 0, 65'536);
  config.moe_layer_freq = integer_or(object, "moe_layer_freq", 1, 1, 10'000);
  config.n_group = integer_or(object, "n_group", 1, 1, config.n_routed_experts);
  config.topk_group = config.n_group > 1 ? object.integer("topk_group", 1, config.n_group)
                                         : integer_or(object, "topk_group", 1, 1, 1);
  config.norm_topk_prob = object.boolean("norm_topk_prob");
  config.routed_scaling_factor = object.positive_number("routed_scaling_factor");
  config.scoring_func = read_scoring_func(object, family);
}

// A list of ids counts by its first; negative ids mean none.
std::optional<std::int64_t> read_eos(const JsonObject& object) {
  const json* value = object.find("eos_token_id");
  if (value != nullptr && value->is_array()) value = value->empty() ? nullptr : &value->front();
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer())
    object.fail("eos_token_id", "expected an integer, found " + excerpt(*value));
  const auto id = value->get<std::int64_t>();
  return id < 0 ? std::nullopt : std::optional(id);
}

void require_consistent_heads(const JsonObject& object, const ModelConfig& config) {
  if (config.num_attention_heads % config.num_key_value_heads != 0) {
    object.fail("num_attention_heads", std::to_string(config.num_attention_heads) +
                                           " is not a multiple of num_key_value_heads " +
                                           std::to_string(config.num_key_value_heads));
  }
}

void require_consistent_router(const JsonObject& object, const ModelConfig& config) {
  const std::int64_t experts = config.n_routed_experts, chosen = config.num_experts_per_tok;
  if (chosen > experts) {
    object.fail("num_experts_per_tok", "expected at most n_routed_experts = " + std::to_string(experts) +
                                           ", found " + std::to_string(chosen));
  }
  if (experts % config.n_group != 0) {
    object.fail("n_group", "does not divide n_routed_experts = " + std::to_string(experts) + " (found " +
                               std::to_string(config.n_group) + ")");
  }
  const std::int64_t group_size = experts / config.n_group;
  if (config.n_group > 1 && group_size < 2) object.fail("n_group", "leaves fewer than 2 experts in a group");
  if (chosen > config.topk_group * group_size) {
    object.fail("num_experts_per_tok", "expected at most the " +
                                           std::to_string(config.topk_group * group_size) +
                                           " experts of topk_group = " + std::to_string(config.topk_group) +
                                           " groups, found " + std::to_string(chosen));
  }
  if (config.moe_layers().empty()) {
    object.fail("first_k_dense_replace", "leaves no mixture-of-experts layer among the " +
                                             std::to_string(config.num_hidden_layers) + " layers");
  }
}

// Single sizes below their limits can still make a product beyond every integer.
void require_countable(const JsonObject& object, const ModelConfig& config) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto layers = static_cast<double>(config.num_hidden_layers);
  const double experts = static_cast<double>(config.n_routed_experts + config.n_shared_experts) *
                         static_cast<double>(config.moe_intermediate_size);
  const double attention =
      4 * static_cast<double>(config.num_attention_heads) * static_cast<double>(config.head_dim);
  const double per_layer = 3 * experts + 3 * static_cast<double>(config.intermediate_size) + attention;
  const double parameters = hidden * (2 * static_cast<double>(config.vocab_size) + layers * per_layer);
  if (parameters > std::ldexp(1.0, 56))
    object.fail("hidden_size", "and the other sizes describe more than 2^56 parameters");
}

void refuse_unknown_features(const JsonObject& object) {
  if (object.find("quantization_config") != nullptr) {
    object.unsupported("quantization_config", "is set, but quantised weights are not supported");
  }
  if (object.string("hidden_act") != "silu") {
    object.unsupported(
        "hidden_act", "is not supported (expected \"silu\", found " + excerpt(object.at("hidden_act")) + ")");
  }
}

ModelConfig read_config(const JsonObject& object) {
  ModelConfig config;
  const Family& family = read_family(object, config);
  refuse_unknown_features(object);
  for (const SizeKey& size : size_keys)
    config.*size.field = object.integer(size.key, size.least, size.greatest);
  read_head_dim(object, config);
  read_attention(object, config);
  read_router(object, family, config);
  config.rms_norm_eps = object.positive_number("rms_norm_eps");
  config.rope_theta = read_rope_theta(object);
  config.tie_word_embeddings = object.boolean("tie_word_embeddings");
  config.eos_token_id = read_eos(object);
  const char* dtype_key = object.find("dtype") != nullptr ? "dtype" : "torch_dtype";
  if (object.find(dtype_key) != nullptr) config.torch_dtype = object.string(dtype_key);
  require_consistent_heads(object, config);
  require_consistent_router(object, config);
  require_countable(object, config);
  return config;
}

/// Collects "name: a, b" for the fields that differ.
class Differences {
 public:
  template <class T>
  void compare(const char* name, const T& a, const T& b) {
    if (a != b) found.push_back(std::string(name) + ": " + json(a).dump() + ", " + json(b).dump());
  }
  template <class T>
  void compare(const char* name, const std::optional<T>& a, const std::optional<T>& b) {
    const auto value = [](const std::optional<T>& x) { return x ? json(*x) : json(); };
    compare(name, value(a), value(b));
  }
  std::vector<std::string> found;
};

}  // namespace

bool ModelConfig::is_moe_layer(std::int64_t layer) const {
  return layer >= first_k_dense_replace && layer % moe_layer_freq == 0;
}

bool ModelConfig::is_sliding_layer(std::int64_t layer) const {
  if (!layer_types.empty()) return layer_types.at(static_cast<std::size_t>(layer)) == "sliding_attention";
  return sliding_window && layer >= max_window_layers;
}

std::vector<std::int64_t> ModelConfig::moe_layers() const {
  std::vector<std::int64_t> layers;
  for (std::int64_t layer = 0; layer < num_hidden_layers; ++layer) {
    if (is_moe_layer(layer)) layers.push_back(layer);
  }
  return layers;
}

ModelConfig parse_model_config(std::string_view text, const std::string& file) {
  const json document = parse_strict_json(text, file);
  return read_config(JsonObject(document, file, {}));
}

std::vector<std::string> config_differences(const ModelConfig& a, const ModelConfig& b) {
  Differences differences;
  differences.compare("model_type", a.model_type, b.model_type);
  for (const SizeKey& size : size_keys) differences.compare(size.key, a.*size.field, b.*size.field);
  differences.compare("num_key_value_heads", a.num_key_value_heads, b.num_key_value_heads);
  differences.compare("head_dim", a.head_dim, b.head_dim);
  differences.compare("n_shared_experts", a.n_shared_experts, b.n_shared_experts);
  differences.compare("moe_layer_freq", a.moe_layer_freq, b.moe_layer_freq);
  differences.compare("n_group", a.n_group, b.n_group);
  differences.compare("topk_group", a.topk_group, b.topk_group);
  differences.compare("norm_topk_prob", a.norm_topk_prob, b.norm_topk_prob);
  differences.compare("routed_scaling_factor", a.routed_scaling_factor, b.routed_scaling_factor);
  differences.compare("scoring_func", a.scoring_func, b.scoring_func);
  differences.compare("rms_norm_eps", a.rms_norm_eps, b.rms_norm_eps);
  differences.compare("rope_theta", a.rope_theta, b.rope_theta);
  differences.compare("sliding_window", a.sliding_window, b.sliding_window);
  differences.compare("max_window_layers", a.max_window_layers, b.max_window_layers);
  differences.compare("layer_types", a.layer_types, b.layer_types);
  differences.compare("attention_bias", a.attention_bias, b.attention_bias);
  differences.compare("tie_word_embeddings", a.tie_word_embeddings, b.tie_word_embeddings);
  differences.compare("eos_token_id", a.eos_token_id, b.eos_token_id);
  differences.compare("torch_dtype", a.torch_dtype, b.torch_dtype);
  return differences.found;
}

}  // namespace moescope
