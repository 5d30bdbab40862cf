#include "readers/model/gguf_config.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "readers/errors.h"
#include "readers/text/name_list.h"
#include "readers/text/quoted_text.h"

namespace moescope {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* architecture_key = "general.architecture";

/// The metadata under their names behind that of the architecture. What is there is of the right type, or
/// FormatError.
class ToldByGguf {
 public:
  ToldByGguf(const GgufMetadata& metadata, const std::string& file) : metadata_(metadata), file_(file) {
    const auto found = metadata.find(architecture_key);
    if (found == metadata.end()) fail(architecture_key, "is missing");
    const auto* text = std::get_if<std::string>(&found->second);
    if (text == nullptr) fail(architecture_key, "expected a text, found " + gguf_words(found->second));
    architecture_ = *text;
  }

  const std::string& architecture() const { return architecture_; }
  const std::string& file() const { return file_; }

  std::optional<std::int64_t> integer(std::string_view name) const { return integer_at(whole(name)); }
  std::optional<std::int64_t> integer_at(const std::string& key) const;
  std::int64_t required(std::string_view name) const;
  std::optional<double> number(std::string_view name) const;
  std::optional<bool> boolean(std::string_view name) const;
  std::optional<std::string> text(std::string_view name) const;
  std::optional<ScoreFunction> score() const;

  [[noreturn]] void fail(std::string_view key, const std::string& problem) const {
    throw FormatError(file_, "metadata " + single_quoted(std::string(key)), problem);
  }
  [[noreturn]] void unsupported(std::string_view name, const std::string& problem) const {
    throw UnsupportedModel(file_, "metadata " + single_quoted(whole(name)), problem);
  }

 private:
  std::string whole(std::string_view name) const { return architecture_ + "." + std::string(name); }
  const GgufValue* find(const std::string& key) const {
    const auto found = metadata_.find(key);
    return found == metadata_.end() ? nullptr : &found->second;
  }

  const GgufMetadata& metadata_;
  const std::string& file_;
  std::string architecture_;
};

std::optional<std::int64_t> ToldByGguf::integer_at(const std::string& key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<std::int64_t>(value)) return *number;
  const auto* number = std::get_if<std::uint64_t>(value);
  if (number == nullptr || *number > std::uint64_t{1} << 62)
    fail(key, "expected an integer, found " + single_quoted(gguf_words(*value)));
  return static_cast<std::int64_t>(*number);
}

std::int64_t ToldByGguf::required(std::string_view name) const {
  const auto value = integer(name);
  if (!value) fail(whole(name), "is missing");
  return *value;
}

std::optional<double> ToldByGguf::number(std::string_view name) const {
  const GgufValue* value = find(whole(name));
  if (value == nullptr) return std::nullopt;
  double number = std::nan("");
  if (const auto* narrow = std::get_if<float>(value)) number = decimal_value(*narrow);
  if (const auto* wide = std::get_if<double>(value)) number = *wide;
  if (!std::isfinite(number))
    fail(whole(name), "expected a number, found " + single_quoted(gguf_words(*value)));
  return number;
}

std::optional<bool> ToldByGguf::boolean(std::string_view name) const {
  const GgufValue* value = find(whole(name));
  if (value == nullptr) return std::nullopt;
  const auto* boolean = std::get_if<bool>(value);
  if (boolean == nullptr)
    fail(whole(name), "expected true or false, found " + single_quoted(gguf_words(*value)));
  return *boolean;
}

std::optional<std::string> ToldByGguf::text(std::string_view name) const {
  const GgufValue* value = find(whole(name));
  if (value == nullptr) return std::nullopt;
  const auto* text = std::get_if<std::string>(value);
  if (text == nullptr) fail(whole(name), "expected a text, found " + single_quoted(gguf_words(*value)));
  return *text;
}

/// Empty where the file does not say.
std::optional<ScoreFunction> ToldByGguf::score() const {
  constexpr std::string_view key = "expert_gating_func";
  const auto value = integer(key);
  if (!value || *value == 0) return std::nullopt;
  if (*value == 1) return ScoreFunction::softmax;
  if (*value == 2) return ScoreFunction::sigmoid;
  unsupported(key,
              "is a score function that moescope does not know (expected 1, softmax, or 2, sigmoid, found " +
                  std::to_string(*value) + ")");
}

const Family& gguf_family(const ToldByGguf& told, std::span<const Family> families) {
  const bool experts = told.integer("expert_count").value_or(0) > 0;
  const ScoreFunction score = told.score().value_or(ScoreFunction::softmax);
  std::vector<std::string> known;
  for (const Family& family : families) {
    const GgufScheme& scheme = family.gguf;
    if (scheme.architecture.empty()) continue;
    known.emplace_back(scheme.architecture);
    if (scheme.architecture == told.architecture() && scheme.has_experts == experts &&
        scheme.score.value_or(score) == score)
      return family;
  }
  std::ranges::sort(known);
  known.erase(std::unique(known.begin(), known.end()), known.end());
  const bool is_known = std::ranges::find(known, told.architecture()) != known.end();
  throw UnsupportedModel(
      told.file(), std::string("metadata '") + architecture_key + "'",
      is_known ? single_quoted(told.architecture()) + (experts ? " with experts" : " without experts") +
                     " is not a model that moescope reads from GGUF files"
               : "is not an architecture that moescope reads from GGUF files (expected " + name_list(known) +
                     ", found " + single_quoted(told.architecture()) + ")");
}

/// What all releases of Llama 3.1 to 3.3 have in common.
constexpr double llama3_low = 1, llama3_high = 4, llama3_positions = 8192;

/// Whether these are by what each frequency is divided (the converter's generate_extra_tensors, in float32).
bool are_llama3_factors(std::span<const float> factors, double base, double factor) {
  constexpr double pi = 3.14159265358979323846, tolerance = 1e-4;
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const double turns = llama3_positions *
                         std::pow(base, -static_cast<double>(i) / static_cast<double>(factors.size())) /
                         (2 * pi);
    const double kept = std::clamp((turns - llama3_low) / (llama3_high - llama3_low), 0.0, 1.0);
    const double expected = 1 / ((1 - kept) / factor + kept);
    if (!(std::fabs(double{factors[i]} - expected) <= tolerance * expected)) return false;
  }
  return factor > 1;
}

/// Writes config.json.
class ConfigWriter {
 public:
  ConfigWriter(const ToldByGguf& told, const FindTensor& find, const ReadTensor& read, const Family& family)
      : told_(told), find_(find), read_(read), family_(family) {}
  std::string text();

 private:
  void size(std::string_view field, std::optional<std::int64_t> value);
  template <class Value>
  void everywhere(std::initializer_list<const char*> keys, const std::optional<Value>& value) {
    for (const char* key : keys)
      if (value) config_[key] = *value;
  }
  bool stored_in_layers(std::string_view name) const { return find_in_layers(name) != nullptr; }
  const TensorInfo* find_in_layers(std::string_view name) const;
  void sizes();
  void heads();
  void latent_heads();
  void routing();
  void shared_experts();
  void attention();
  void rotary();
  void stored_factors(std::int64_t features);
  void scaling();

  const ToldByGguf& told_;
  const FindTensor& find_;
  const ReadTensor& read_;
  const Family& family_;
  std::int64_t layers_ = 0;
  Json config_;
};

/// Under the family's name for it.
void ConfigWriter::size(std::string_view field, std::optional<std::int64_t> value) {
  if (!value) return;
  const auto own = std::ranges::find(family_.size_keys, field, &SizeKey::field);
  config_[std::string(own == family_.size_keys.end() ? field : own->key)] = *value;
}

/// Of the first layer that has it.
const TensorInfo* ConfigWriter::find_in_layers(std::string_view name) const {
  for (std::int64_t layer = 0; layer < layers_; ++layer) {
    if (const TensorInfo* info = find_("blk." + std::to_string(layer) + "." + std::string(name))) return info;
  }
  return nullptr;
}

void ConfigWriter::sizes() {
  constexpr std::int64_t most_layers = 10'000;
  const std::int64_t blocks = told_.required("block_count"),
                     predicting = told_.integer("nextn_predict_layers").value_or(0);
  if (blocks < 1 || blocks > most_layers || predicting < 0 || predicting >= blocks)
    told_.fail(
        told_.architecture() + ".block_count",
        "expected 1 to 10000 layers, found " + std::to_string(blocks) +
            (predicting != 0 ? " of which " + std::to_string(predicting) + " predict further tokens" : ""));
  layers_ = blocks - predicting;
  size("num_hidden_layers", layers_);
  size("hidden_size", told_.required("embedding_length"));
  size("num_attention_heads", told_.required("attention.head_count"));
  size("max_position_embeddings", told_.required("context_length"));
  size("intermediate_size", told_.integer("feed_forward_length"));
  const TensorInfo* embedding = find_("token_embd.weight");
  if (embedding == nullptr) throw FormatError(told_.file(), tensor_thing("token_embd.weight"), "is missing");
  size("vocab_size", static_cast<std::int64_t>(std::min(embedding->shape.front(), std::uint64_t{1} << 62)));
}

void ConfigWriter::heads() {
  everywhere({"num_key_value_heads"}, told_.integer("attention.head_count_kv"));
  const auto keys = told_.integer("attention.key_length"), values = told_.integer("attention.value_length");
  if (keys && values && *keys != *values)
    told_.unsupported("attention.value_length",
                      "differs from key_length, which moescope does not follow (expected " +
                          std::to_string(*keys) + ", found " + std::to_string(*values) + ")");
  everywhere({"head_dim"}, keys);
}

/// Older files tell the lengths of a head, newer ones those of the latent vector, and a head's under _mla.
void ConfigWriter::latent_heads() {
  const std::int64_t rotated = told_.required("rope.dimension_count");
  const auto mla_keys = told_.integer("attention.key_length_mla"),
             mla_values = told_.integer("attention.value_length_mla");
  const std::int64_t keys = mla_keys ? *mla_keys : told_.required("attention.key_length");
  config_["kv_lora_rank"] = told_.required("attention.kv_lora_rank");
  everywhere({"q_lora_rank"}, told_.integer("attention.q_lora_rank"));
  config_["qk_rope_head_dim"] = rotated;
  config_["qk_nope_head_dim"] = keys > rotated ? keys - rotated : 0;
  config_["v_head_dim"] = mla_values ? *mla_values : told_.required("attention.value_length");
  if (stored_in_layers("attn_kv_b.weight") || !stored_in_layers("attn_k_b.weight")) return;
  throw UnsupportedModel(
      told_.file(), tensor_thing("blk.0.attn_k_b.weight"),
      "the converter has split kv_b_proj into two transformed tensors, which moescope does not join",
      "files that llama.cpp wrote before April 2025 have it whole, as attn_kv_b.weight");
}

void ConfigWriter::routing() {
  if (!family_.gguf.has_experts) return;
  size("n_routed_experts", told_.integer("expert_count"));
  size("num_experts_per_tok", told_.integer("expert_used_count"));
  size("moe_intermediate_size", told_.integer("expert_feed_forward_length"));
  everywhere({"first_k_dense_replace", "num_dense_layers"},
             std::optional(told_.integer("leading_dense_block_count").value_or(0)));
  everywhere({"norm_topk_prob", "route_norm"}, told_.boolean("expert_weights_norm"));
  const double scale = told_.number("expert_weights_scale").value_or(0);
  everywhere({"routed_scaling_factor", "route_scale"}, std::optional(scale == 0 ? 1 : scale));
  if (const auto score = told_.score())
    everywhere({"scoring_func", "score_function", "score_func"}, std::optional(score_function_name(*score)));
  const auto groups = told_.integer("expert_group_count");
  everywhere({"n_group"}, groups);
  everywhere({"topk_group"}, told_.integer("expert_group_used_count"));
  if (groups.value_or(1) > 1 && told_.score() == ScoreFunction::softmax)
    config_["topk_method"] = "group_limited_greedy";
}

void ConfigWriter::shared_experts() {
  const auto count = told_.integer("expert_shared_count");
  const std::int64_t experts = count.value_or(0);
  everywhere({"n_shared_experts", "num_shared_experts"}, std::optional(experts));
  const TensorInfo* gate = find_in_layers("ffn_gate_shexp.weight");
  if (gate == nullptr) return;
  const std::uint64_t width = gate->shape.front();
  config_["shared_expert_intermediate_size"] = width;
  if (experts > 0 && width % static_cast<std::uint64_t>(experts) == 0)
    config_["moe_shared_expert_intermediate_size"] = width / static_cast<std::uint64_t>(experts);
}

void ConfigWriter::attention() {
  const bool bias = stored_in_layers("attn_q.bias") || stored_in_layers("attn_qkv.bias") ||
                    stored_in_layers("attn_q_a.bias");
  everywhere({"attention_bias", "qkv_bias", "use_qkv_bias"}, std::optional(bias));
  config_["mlp_bias"] = stored_in_layers("ffn_gate.bias");
  config_["use_qk_norm"] = stored_in_layers("attn_q_norm.weight");
  everywhere({"clip_qkv"}, told_.number("attention.clamp_kqv"));
  everywhere({"sliding_window"}, told_.integer("attention.sliding_window"));
}

void ConfigWriter::rotary() {
  config_["rope_theta"] = told_.number("rope.freq_base").value_or(10000);
  const std::int64_t heads = told_.required("attention.head_count");
  const std::int64_t head = told_.integer("attention.key_length")
                                .value_or(heads > 0 ? told_.required("embedding_length") / heads : 0);
  const std::int64_t features = told_.integer("rope.dimension_count").value_or(head);
  if (!family_.has_latent_attention && head > 0) {
    const double share = static_cast<double>(features) / static_cast<double>(head);
    // So that the reader's product is not rounded down.
    config_["partial_rotary_factor"] = features == head ? 1 : std::nextafter(share, 2.0);
    config_["rotary_dim"] = features;
  }
  scaling();
  stored_factors(features);
}

/// Llama 3's stretch is stored as what it amounts to, and told where its parameters are those of the
/// releases.
void ConfigWriter::stored_factors(std::int64_t features) {
  const TensorInfo* info = find_("rope_freqs.weight");
  if (info == nullptr && find_("rope_factors_long.weight") == nullptr) return;
  const auto pairs = static_cast<std::uint64_t>(std::max<std::int64_t>(0, features / 2));
  if (info != nullptr && info->dtype == DType::f32 && info->shape == std::vector{pairs}) {
    const std::vector<float> factors = read_(*info);
    const double largest = double{*std::ranges::max_element(factors)};
    if (are_llama3_factors(factors, config_["rope_theta"], largest)) {
      config_["rope_scaling"] = {{"rope_type", "llama3"},
                                 {"factor", largest},
                                 {"low_freq_factor", llama3_low},
                                 {"high_freq_factor", llama3_high},
                                 {"original_max_position_embeddings", llama3_positions}};
      return;
    }
  }
  throw UnsupportedModel(
      told_.file(), tensor_thing(info != nullptr ? "rope_freqs.weight" : "rope_factors_long.weight"),
      "stretches the rotary embedding feature by feature, not as Llama 3 does, which moescope does not read",
      "the model's safetensors tell the same in config.json, which is read");
}

void ConfigWriter::scaling() {
  const std::string type = told_.text("rope.scaling.type").value_or("none");
  const double factor =
      told_.number("rope.scaling.factor").value_or(told_.number("rope.scale_linear").value_or(1));
  if (type == "none" && factor == 1) return;
  if (type != "linear" && type != "yarn")
    told_.unsupported(
        "rope.scaling.type",
        "is a rotary embedding that moescope does not know (expected none, linear or yarn, found " +
            single_quoted(type) + ")");
  Json scaling = {{"rope_type", type}, {"factor", factor}};
  if (const auto positions = told_.integer("rope.scaling.original_context_length"))
    scaling["original_max_position_embeddings"] = *positions;
  for (const auto& [name, key] : {std::pair{"rope.scaling.yarn_beta_fast", "beta_fast"},
                                  {"rope.scaling.yarn_beta_slow", "beta_slow"},
                                  {"rope.scaling.attn_factor", "attention_factor"},
                                  {"rope.scaling.yarn_attn_factor", "attention_factor"}}) {
    if (const auto value = told_.number(name)) scaling[key] = *value;
  }
  if (const auto multiplier = told_.number("rope.scaling.yarn_log_multiplier")) {
    const double all = std::round(*multiplier * 1e7) / 1e6;  // it is 0.1 mscale_all_dim, as a float
    scaling["mscale_all_dim"] = scaling["mscale"] = all;
  }
  config_["rope_scaling"] = std::move(scaling);
}

std::string ConfigWriter::text() {
  config_ = {{"model_type", family_.model_type},
             {"architectures", {family_.architectures.front()}},
             {"hidden_act", "silu"}};
  for (const ConfigConstant& constant : family_.gguf.constants)
    config_[std::string(constant.key)] = constant.value;
  sizes();
  family_.has_latent_attention ? latent_heads() : heads();
  routing();
  shared_experts();
  attention();
  rotary();
  everywhere({"rms_norm_eps"}, told_.number("attention.layer_norm_rms_epsilon"));
  config_["tie_word_embeddings"] = find_("output.weight") == nullptr;
  everywhere({"eos_token_id"}, told_.integer_at("tokenizer.ggml.eos_token_id"));
  return config_.dump(2) + "\n";
}

}  // namespace

std::string gguf_config_json(const GgufMetadata& metadata, const FindTensor& find, const ReadTensor& read,
                             const std::string& file, std::span<const Family> families) {
  const ToldByGguf told(metadata, file);
  return ConfigWriter(told, find, read, gguf_family(told, families)).text();
}

std::string asked_for(const std::string& config_json, ModelConfig& config) {
  Json document = Json::parse(config_json);
  std::erase_if(config.keys, [&](const ConfigKey& key) {
    if (key.use != KeyUse::unknown) return false;
    document.erase(key.name);
    return true;
  });
  return document.dump(2) + "\n";
}

void require_as_told(const GgufMetadata& metadata, const ModelConfig& config, const std::string& file) {
  const ToldByGguf told(metadata, file);
  const auto refuse = [&](std::string_view name) {
    told.unsupported(name, "is not followed for the model_type " + single_quoted(config.model_type));
  };
  if (!config.moe_layers().empty()) {
    if (told.score().value_or(config.routing.score) != config.routing.score) refuse("expert_gating_func");
    if (told.boolean("expert_weights_norm").value_or(config.routing.renormalise) !=
        config.routing.renormalise)
      refuse("expert_weights_norm");
    const double scale = told.number("expert_weights_scale").value_or(0);
    if (scale != 0 && scale != config.routing.scale) refuse("expert_weights_scale");
    if (told.integer("expert_group_count").value_or(1) > 1 && config.routing.groups == 1)
      refuse("expert_group_count");
  }
  if (told.integer("attention.sliding_window").value_or(0) > 0 && !config.attention.window)
    refuse("attention.sliding_window");
  if (told.number("attention.clamp_kqv") && !config.attention.clip) refuse("attention.clamp_kqv");
  for (const char* name : {"attention.scale", "logit_scale", "residual_scale", "embedding_scale",
                           "attn_logit_softcapping", "final_logit_softcapping"}) {
    if (told.number(name).value_or(0) != 0) refuse(name);
  }
}

// Of the models that are read, those with latent attention alone may have groups that are not told.
std::vector<std::string> notes_on_untold(const GgufMetadata& metadata, const ModelConfig& config,
                                         const std::string& file) {
  const ToldByGguf told(metadata, file);
  if (!config.attention.latent || told.integer("expert_group_count")) return {};
  return {"the metadata do not tell of groups of experts (" + told.architecture() +
          ".expert_group_count), as older files never do: experts are chosen from all, though the "
          "original model may choose from its best groups"};
}

}  // namespace moescope
