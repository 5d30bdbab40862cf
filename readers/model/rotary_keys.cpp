#include "readers/model/rotary_keys.h"

#include <cmath>
#include <optional>
#include <string>

#include "readers/model/config_keys.h"

namespace moescope {
namespace {

using nlohmann::json;

constexpr const char* rotated_share_key = "partial_rotary_factor";

std::string_view stretch_name(RotaryStretch stretch) {
  constexpr std::string_view names[] = {"default", "linear", "llama3", "yarn"};
  return names[static_cast<std::size_t>(stretch)];
}

/// "default", or "default" or "yarn", as a message says what is expected.
std::string expected_types(const KnownStretches& known) {
  std::string text = excerpt("default");
  for (const RotaryStretch stretch : known) text += " or " + excerpt(std::string(stretch_name(stretch)));
  return text;
}

RotaryStretch stretch_named(const JsonObject& rope, const char* key, const KnownStretches& known) {
  const std::string name = rope.string(key);
  if (name == stretch_name(RotaryStretch::none)) return RotaryStretch::none;
  for (const RotaryStretch stretch : known) {
    if (name == stretch_name(stretch)) return stretch;
  }
  rope.unsupported(key, "is a rotary embedding that moescope does not know (expected " +
                            expected_types(known) + ", found " + excerpt(name) + ")");
}

// A type that is absent means "default" only where nothing else describes a scaling.
RotaryStretch read_stretch(const JsonObject& rope, const KnownStretches& known) {
  std::optional<RotaryStretch> stretch;
  for (const char* key : {"rope_type", "type"}) {
    if (rope.find(key) == nullptr) continue;
    const RotaryStretch named = stretch_named(rope, key, known);
    if (stretch && *stretch != named)
      rope.fail(key, "differs from rope_type (found " + excerpt(rope.at(key)) + ")");
    stretch = named;
  }
  for (const char* key : {"factor", "full_attention", "sliding_attention"}) {
    if (stretch || rope.find(key) == nullptr) continue;
    rope.unsupported(key, "is a rotary embedding that moescope does not know");
  }
  return stretch.value_or(RotaryStretch::none);
}

/// 0.1 m ln(factor) + 1: how much attention is sharpened (YaRN, section 3.4, as DeepSeek's code has it).
double yarn_scale(double factor, double m) {
  return factor <= 1 ? 1 : 0.1 * m * std::log(factor) + 1;
}

void read_yarn(const JsonObject& object, const JsonObject& rope, AttentionScheme& attention) {
  RotaryScheme& rotary = attention.rotary;
  RotaryScaling& scaling = rotary.scaling;
  const char* original = "original_max_position_embeddings";
  scaling.original_positions =
      (rope.find(original) == nullptr ? object : rope)
          .positive_number(rope.find(original) == nullptr ? "max_position_embeddings" : original);
  scaling.high = rope.find("beta_fast") == nullptr ? 32 : rope.positive_number("beta_fast");
  scaling.low = rope.find("beta_slow") == nullptr ? 1 : rope.positive_number("beta_slow");
  if (scaling.low > scaling.high)
    rope.fail("beta_slow", "expected at most beta_fast, found " + excerpt(rope.at("beta_slow")));
  scaling.whole_ends = boolean_or(rope, "truncate", true);
  const double all = number_or(rope, "mscale_all_dim", 0);
  rotary.amplitude =
      rope.find("attention_factor") != nullptr
          ? rope.positive_number("attention_factor")
          : yarn_scale(scaling.factor, number_or(rope, "mscale", 1)) / yarn_scale(scaling.factor, all);
  pass_over(rope, {"mscale"});  // where attention_factor stands in its place
  if (attention.latent) attention.score_factor = std::pow(yarn_scale(scaling.factor, all), 2);
}

void read_llama3(const JsonObject& rope, RotaryScaling& scaling) {
  scaling.original_positions = rope.positive_number("original_max_position_embeddings");
  scaling.low = rope.positive_number("low_freq_factor");
  scaling.high = rope.positive_number("high_freq_factor");
  if (scaling.low >= scaling.high)
    rope.fail("low_freq_factor",
              "expected less than high_freq_factor, found " + excerpt(rope.at("low_freq_factor")));
}

void read_scaling(const JsonObject& object, const JsonObject& rope, const KnownStretches& known,
                  AttentionScheme& attention) {
  const RotaryStretch stretch = read_stretch(rope, known);
  if (stretch == RotaryStretch::none) return;
  RotaryScaling& scaling = attention.rotary.scaling;
  scaling.stretch = stretch;
  scaling.factor = rope.positive_number("factor");
  if (stretch == RotaryStretch::yarn) read_yarn(object, rope, attention);
  if (stretch == RotaryStretch::llama3) read_llama3(rope, scaling);
}

/// Where newer files tell about rotary embeddings.
std::optional<JsonObject> find_rope_parameters(const JsonObject& object) {
  if (object.find("rope_parameters") == nullptr) return std::nullopt;
  return object.member("rope_parameters");
}

double read_rope_theta(const JsonObject& object) {
  const std::optional<JsonObject> rope = find_rope_parameters(object);
  if (!rope || rope->find("rope_theta") == nullptr) return object.positive_number("rope_theta");
  const double theta = rope->positive_number("rope_theta");
  if (object.find("rope_theta") != nullptr && object.positive_number("rope_theta") != theta) {
    object.fail("rope_theta", "differs from rope_parameters.rope_theta (expected " +
                                  excerpt(rope->at("rope_theta")) + ", found " +
                                  excerpt(object.at("rope_theta")) + ")");
  }
  return theta;
}

void read_rotary(const JsonObject& object, AttentionScheme& attention, std::int64_t features,
                 const KnownStretches& known) {
  attention.rotary = {.base = read_rope_theta(object), .features = features};
  if (object.find("rope_scaling") != nullptr)
    read_scaling(object, object.member("rope_scaling"), known, attention);
  if (const auto rope = find_rope_parameters(object)) read_scaling(object, *rope, known, attention);
}

/// The object itself, or its rope_parameters: who tells which share of a head is rotated.
std::optional<JsonObject> find_share(const JsonObject& object) {
  const std::optional<JsonObject> rope = find_rope_parameters(object);
  const bool in_rope = rope && rope->find(rotated_share_key) != nullptr;
  if (object.find(rotated_share_key) == nullptr) return in_rope ? rope : std::nullopt;
  if (in_rope && object.at(rotated_share_key) != rope->at(rotated_share_key)) {
    object.fail(rotated_share_key, std::string("differs from rope_parameters.") + rotated_share_key +
                                       " (expected " + excerpt(rope->at(rotated_share_key)) + ", found " +
                                       excerpt(object.at(rotated_share_key)) + ")");
  }
  return object;
}

void require_whole_head_rotated(const JsonObject& object) {
  if (object.find(rotated_share_key, KeyUse::checked) != nullptr &&
      object.positive_number(rotated_share_key) != 1.0)
    refuse_value(object, rotated_share_key, "1");
}

}  // namespace

std::int64_t rotated_features(const JsonObject& object, const char* key, std::int64_t head_dim) {
  const double share = object.positive_number(key);
  const auto features = static_cast<std::int64_t>(share * static_cast<double>(head_dim));
  if (share <= 1 && features >= 2 && features % 2 == 0) return features;
  object.fail(key, "expected the share of an even number of a head's " + std::to_string(head_dim) +
                       " features, found " + excerpt(object.at(key)));
}

void read_whole_rotary(const JsonObject& object, ModelConfig& config, const KnownStretches& known) {
  require_whole_head_rotated(object);
  if (const auto rope = find_rope_parameters(object)) require_whole_head_rotated(*rope);
  const auto& latent = config.attention.latent;
  read_rotary(object, config.attention, latent ? latent->shared_features : config.head_dim, known);
  if (latent) config.attention.rotary.first = latent->own_features;
}

void read_interleaving(const JsonObject& object, ModelConfig& config) {
  config.attention.rotary.interleaved = boolean_or(object, "rope_interleave", false);
}

void read_partial_rotary(const JsonObject& object, ModelConfig& config, double absent) {
  const std::optional<JsonObject> share = find_share(object);
  const std::int64_t features =
      share ? rotated_features(*share, rotated_share_key, config.head_dim)
            : static_cast<std::int64_t>(absent * static_cast<double>(config.head_dim));
  read_rotary(object, config.attention, features, {});
}

}  // namespace moescope
