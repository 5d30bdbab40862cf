#include <algorithm>
#include <cmath>

#include "readers/model/config_key_listing.h"
#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/harmless_keys.h"
#include "readers/model/model_config.h"
#include "readers/model/size_field.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

using nlohmann::json;

// Empty when the file names none.
std::string read_architecture(const JsonObject& object) {
  const json* list = object.find("architectures");
  if (list == nullptr || (list->is_array() && list->empty())) return {};
  if (list->is_array() && list->front().is_string()) return list->front().get<std::string>();
  object.fail("architectures", "expected an array of strings, found " + excerpt(*list));
}

/// "dots1", or "dots1", "mixtral": once each.
std::string known_model_types(std::span<const Family> families) {
  std::vector<std::string> types;
  for (const Family& family : families) types.push_back(excerpt(std::string(family.model_type)));
  std::ranges::sort(types);
  types.erase(std::unique(types.begin(), types.end()), types.end());
  return name_list(types);
}

bool fits(const Family& family, const ModelConfig& config) {
  return family.model_type == config.model_type &&
         (config.architecture.empty() ||
          std::ranges::find(family.architectures, config.architecture) != family.architectures.end());
}

// The architecture decides where model_type is shared by several families.
const Family& read_family(const JsonObject& object, ModelConfig& config, std::span<const Family> families) {
  if (object.find("model_type") == nullptr && object.find(megatron_key) != nullptr) {
    const auto family = std::ranges::find(families, true, &Family::is_megatron);
    if (family != families.end()) {
      config.model_type = family->model_type;
      return *family;
    }
  }
  config.model_type = object.string("model_type");
  config.architecture = read_architecture(object);
  const auto is_of_type = [&](const Family& family) { return family.model_type == config.model_type; };
  if (std::ranges::none_of(families, is_of_type)) {
    object.unsupported("model_type", "is not a model that moescope knows (expected " +
                                         known_model_types(families) + ", found " +
                                         excerpt(config.model_type) + ")");
  }
  for (const Family& family : families) {
    if (fits(family, config)) return family;
  }
  object.unsupported("architectures", "is not an architecture that moescope knows for model_type " +
                                          excerpt(config.model_type) + " (found " +
                                          excerpt(config.architecture) + ")");
}

void require_value(const JsonObject& object, const char* key, const json& expected) {
  const json* value = object.find(key, KeyUse::checked);
  if (value != nullptr && *value != expected) refuse_value(object, key, excerpt(expected));
}

/// quant_method "fp8": F8_E4M3 with a scale for each block.
void read_block_scaled(const JsonObject& object, ModelConfig& config) {
  const json* format = object.find("fmt", KeyUse::checked);
  if (format != nullptr && *format != "float8_e4m3fn")  // as PyTorch calls it
    require_value(object, "fmt", "e4m3");
  config.quantisation.scaled_by = ScaledBy::blocks;
  const char* key = "weight_block_size";
  if (object.find(key) == nullptr) return;
  const std::vector<std::int64_t> block = read_integers(object, key, 1, 65'536);
  if (block.size() != 2) object.fail(key, "expected two sizes, found " + excerpt(object.at(key)));
  config.quantisation.block_rows = block[0];
  config.quantisation.block_cols = block[1];
}

/// quant_method "compressed-tensors": F8_E4M3 with a scale for each row.
void read_row_scaled(const JsonObject& object, ModelConfig& config) {
  config.quantisation.scaled_by = ScaledBy::rows;
  require_value(object, "format", "float-quantized");
  if (object.find("config_groups") == nullptr) return;
  const JsonObject groups = object.member("config_groups");
  for (const auto& [name, group] : object.at("config_groups").items()) {
    const JsonObject weights = groups.member(name).member("weights");
    require_value(weights, "num_bits", 8);
    require_value(weights, "type", "float");
    require_value(weights, "strategy", "channel");
    require_value(weights, "symmetric", true);
  }
}

void read_quantisation(const JsonObject& object, ModelConfig& config) {
  if (object.find("quantization_config") == nullptr) return;
  const JsonObject quantisation = object.member("quantization_config");
  const std::string method = quantisation.string("quant_method");
  if (method == "fp8") return read_block_scaled(quantisation, config);
  if (method == "compressed-tensors") return read_row_scaled(quantisation, config);
  if (method != "mxfp4")
    refuse_value(quantisation, "quant_method", "\"fp8\", \"compressed-tensors\" or \"mxfp4\"");
  config.quantisation.scaled_by = ScaledBy::parts_of_rows;  // of one layout
}

void refuse_unknown_features(const JsonObject& object) {
  object.find("hidden_act", KeyUse::checked);
  if (object.string("hidden_act") != "silu") refuse_value(object, "hidden_act", "\"silu\"");
}

// By the family's name for it, where it has one of its own.
void read_size(const JsonObject& object, const SizeField& size, ModelConfig& config) {
  const std::vector<SizeKey>& own = config.family->size_keys;
  const auto found = std::ranges::find(own, size.name, &SizeKey::field);
  const std::string key(found == own.end() ? size.name : found->key);
  const bool may_be_absent = found != own.end() && found->absent;
  config.*size.field = may_be_absent && object.find(key) == nullptr
                           ? *found->absent
                           : object.integer(key, size.least, size.greatest);
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

void read_heads(const JsonObject& object, ModelConfig& config) {
  if (config.family->has_latent_attention) return read_latent_heads(object, config);
  read_head_dim(object, config);
  config.value_head_dim = config.head_dim;
  config.num_key_value_heads =
      integer_or(object, "num_key_value_heads", config.num_attention_heads, 1, config.num_attention_heads);
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

// What is stored tells itself; this tells what will be, and what the whole was computed in.
void read_dtype(const JsonObject& object, ModelConfig& config) {
  pass_over(object, {"dtype", "torch_dtype"});
  const char* key = object.find("dtype") != nullptr ? "dtype" : "torch_dtype";
  if (object.find(key) != nullptr) config.torch_dtype = object.string(key);
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
  const RoutingScheme& routing = config.routing;
  if (chosen > experts) {
    object.fail("num_experts_per_tok", "expected at most n_routed_experts = " + std::to_string(experts) +
                                           ", found " + std::to_string(chosen));
  }
  if (experts % routing.groups != 0) {
    object.fail("n_group", "does not divide n_routed_experts = " + std::to_string(experts) + " (found " +
                               std::to_string(routing.groups) + ")");
  }
  if (routing.groups > 1 && routing.group_score == GroupScore::best_two && experts / routing.groups < 2)
    object.fail("n_group", "leaves fewer than 2 experts in a group");
  const std::int64_t eligible = routing.eligible(experts);
  if (chosen > eligible) {
    object.fail("num_experts_per_tok", "expected at most the " + std::to_string(eligible) +
                                           " experts of topk_group = " + std::to_string(routing.kept_groups) +
                                           " groups, found " + std::to_string(chosen));
  }
}

// Single sizes below their limits can still make a product beyond every integer.
void require_countable(const JsonObject& object, const ModelConfig& config) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto layers = static_cast<double>(config.num_hidden_layers);
  const double experts =
      static_cast<double>(config.n_routed_experts) * static_cast<double>(config.moe_intermediate_size) +
      static_cast<double>(config.shared_intermediate_size);
  const LatentScheme latent = config.attention.latent.value_or(LatentScheme{});
  const LinearScheme linear = config.attention.linear.value_or(LinearScheme{});
  const double linear_rows =
      static_cast<double>(linear.channels()) + 3 * static_cast<double>(linear.values());
  const double heads = static_cast<double>(config.num_attention_heads) *
                       static_cast<double>(config.head_dim + config.value_head_dim);
  const double ranks = static_cast<double>(latent.query_rank + latent.key_value_rank);
  const double attention = 3 * heads + 2 * ranks + heads * ranks / hidden + linear_rows;
  const double per_layer = 3 * experts + 3 * static_cast<double>(config.intermediate_size) + attention;
  const double parameters = hidden * (2 * static_cast<double>(config.vocab_size) + layers * per_layer);
  if (parameters > std::ldexp(1.0, 56))
    object.fail("hidden_size", "and the other sizes describe more than 2^56 parameters");
}

/// The language model's keys in a file for more than that; what it does not say, the whole file does.
JsonObject language_model(const JsonObject& object, const std::string& inner) {
  const JsonObject part = object.member(inner);
  const char* tie = "tie_word_embeddings";
  if (part.find(tie) != nullptr && object.find(tie) != nullptr && part.at(tie) != object.at(tie))
    part.fail(tie, "differs from that of the whole model (found " + excerpt(part.at(tie)) + ")");
  pass_over(part, {"architectures", "model_type"});
  return part.within(object);
}

/// What every model of transformers says under the same names, but for the sizes.
void read_common_keys(const JsonObject& object, ModelConfig& config) {
  refuse_unknown_features(object);
  read_quantisation(object, config);
  read_heads(object, config);
  config.rms_norm_eps = object.positive_number("rms_norm_eps");
  config.tie_word_embeddings = object.boolean("tie_word_embeddings");
  config.eos_token_id = read_eos(object);
  read_dtype(object, config);
}

void read_config(const JsonObject& object, ModelConfig& config) {
  for (const SizeField& size : size_fields) read_size(object, size, config);
  if (!config.family->is_megatron) read_common_keys(object, config);
  config.family->read_schemes(object, config);
  if (config.shared_intermediate_size == 0)
    config.shared_intermediate_size = config.n_shared_experts * config.moe_intermediate_size;
  require_consistent_heads(object, config);
  require_consistent_router(object, config);
  require_countable(object, config);
}

}  // namespace

ModelConfig parse_model_config(std::string_view text, const std::string& file,
                               std::span<const Family> families) {
  const json document = parse_strict_json(text, file);
  KeyUses uses;
  const JsonObject object(document, file, {}, &uses);
  ModelConfig config;
  config.family = &read_family(object, config, families);
  const std::string inner(config.family->inner_config);
  const bool is_inside = !inner.empty() && object.find(inner) != nullptr;
  read_config(is_inside ? language_model(object, inner) : object, config);
  config.keys =
      config_keys(document, uses, config.family->is_megatron ? is_harmless_argument : is_harmless_key);
  return config;
}

ModelConfig parse_model_config(std::string_view text, const std::string& file) {
  return parse_model_config(text, file, known_families());
}

}  // namespace moescope
