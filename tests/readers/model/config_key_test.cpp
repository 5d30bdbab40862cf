#include "readers/model/config_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "tests/readers/model/parsed_config.h"
#include "tests/support/source_path.h"

namespace moescope {
namespace {

using nlohmann::json;
using testing::IsEmpty;

std::vector<ConfigKey> keys_of(const json& document) {
  return parse_model_config(document.dump(), "config.json").keys;
}

KeyUse use_of(const std::vector<ConfigKey>& keys, const std::string& name) {
  const auto key = std::ranges::find(keys, name, &ConfigKey::name);
  EXPECT_NE(key, keys.end()) << name;
  return key == keys.end() ? KeyUse::unknown : key->use;
}

KeyUse use_in(const std::string& family, const std::string& name) {
  return use_of(keys_of(fixture_config(family)), name);
}

std::string note_with(const char* key, const json& value) {
  return note_on_unknown_keys(parse(set(key, value)).keys);
}

TEST(ConfigKey, WhatDecidesAndWhatIsCheckedAreToldApart) {
  const std::vector<ConfigKey> keys = parse().keys;
  EXPECT_EQ(keys.size(), dots_llm1().size());
  EXPECT_EQ(use_of(keys, "rope_theta"), KeyUse::followed);
  EXPECT_EQ(use_of(keys, "sliding_window"), KeyUse::followed);  // null, which decides, too
  EXPECT_EQ(use_of(keys, "hidden_act"), KeyUse::checked);
  EXPECT_EQ(use_of(keys, "topk_method"), KeyUse::checked);
  EXPECT_EQ(use_of(keys, "bos_token_id"), KeyUse::without_effect);
  const auto theta = std::ranges::find(keys, "rope_theta", &ConfigKey::name);
  EXPECT_EQ(theta->value, "10000000");
  EXPECT_EQ(key_words(*theta), "rope_theta=10000000");
}

TEST(ConfigKey, EveryFixtureIsUnderstoodToTheLastKey) {
  for (const auto& family : std::filesystem::directory_iterator(source_path("data/families"))) {
    const std::string name = family.path().filename().string();
    EXPECT_EQ(note_on_unknown_keys(keys_of(fixture_config(name))), "") << name;
  }
}

TEST(ConfigKey, WhatNobodyKnowsIsNoted) {
  EXPECT_EQ(note_with("attn_logit_cap", 30.0),
            "configuration: not followed, for moescope does not know it: attn_logit_cap=30.0");
  EXPECT_EQ(note_with("odd\nkey", {1}),
            "configuration: not followed, for moescope does not know it: odd\\nkey=[1]");
  EXPECT_EQ(note_with("rope_scaling", {{"rope_type", "default"}, {"short_factor", 2}}),
            "configuration: not followed, for moescope does not know it: rope_scaling.short_factor=2");
  EXPECT_THAT(note_with("attn_logit_cap", nullptr), IsEmpty());  // means that there is none
  EXPECT_THAT(note_with("attention_dropout", 0.5), IsEmpty());
  EXPECT_EQ(note_on_unknown_keys(parse([](json& document) {
                                   document["b_scale"] = 2;
                                   document["a_scale"] = "x";
                                 }).keys),
            "configuration: not followed, for moescope does not know them: a_scale=\"x\", b_scale=2");
}

TEST(ConfigKey, WhatIsHarmlessInOneObjectIsNotInAnother) {
  const auto with = [](const char* outer, const json& inner) { return note_with(outer, inner); };
  EXPECT_THAT(with("quantization_config", {{"quant_method", "fp8"}, {"activation_scheme", "dynamic"}}),
              IsEmpty());
  EXPECT_EQ(with("activation_scheme", "dynamic"),
            "configuration: not followed, for moescope does not know it: activation_scheme=\"dynamic\"");
}

// Of the hundreds of arguments of a Megatron-LM run, those that speak of the model stand out.
TEST(ConfigKey, ArgumentsOfTrainingAreHarmless) {
  json arguments = fixture_config("flame_moe");
  arguments["lr_decay_iters"] = 1000;
  arguments["moe_aux_loss_coeff"] = 0.01;
  EXPECT_EQ(note_on_unknown_keys(keys_of(arguments)), "");
  arguments["moe_expert_capacity_factor"] = 1.25;
  arguments["mup_logit_scale"] = 2;
  EXPECT_EQ(note_on_unknown_keys(keys_of(arguments)),
            "configuration: not followed, for moescope does not know them: moe_expert_capacity_factor=1.25, "
            "mup_logit_scale=2");
}

// A key that is asked for twice is what it was first.
TEST(ConfigKey, LayerTypesOfLinearAttentionAreFollowed) {
  EXPECT_EQ(use_in("qwen3_next", "layer_types"), KeyUse::followed);
  EXPECT_EQ(use_in("qwen3_next", "full_attention_interval"), KeyUse::without_effect);
  EXPECT_EQ(use_in("qwen3_5_moe", "text_config.layer_types"), KeyUse::followed);
  EXPECT_EQ(use_in("qwen3_moe", "use_sliding_window"), KeyUse::checked);
}

TEST(ConfigKey, OfALanguageModelInsideAnotherAreNamedWithTheirPlace) {
  EXPECT_EQ(use_in("qwen3_5_moe", "text_config.num_experts"), KeyUse::followed);
  EXPECT_EQ(use_in("qwen3_5_moe", "text_config.rope_parameters.mrope_section"), KeyUse::without_effect);
}

TEST(ConfigKey, AKeyThatDecidesNothingBesideAnotherHasNoEffect) {
  EXPECT_EQ(use_in("deepseek_v2", "n_group"), KeyUse::without_effect);  // "greedy" knows no groups
  json limited = fixture_config("deepseek_v2");
  limited["topk_method"] = "group_limited_greedy";
  EXPECT_EQ(use_of(keys_of(limited), "n_group"), KeyUse::followed);
  EXPECT_EQ(use_in("deepseek_v2", "num_key_value_heads"), KeyUse::without_effect);
  EXPECT_EQ(use_in("qwen2_moe", "sliding_window"), KeyUse::without_effect);
  EXPECT_EQ(use_in("afmoe", "global_attn_every_n_layers"), KeyUse::without_effect);
  json unlisted = fixture_config("afmoe");
  unlisted.erase("layer_types");
  EXPECT_EQ(use_of(keys_of(unlisted), "global_attn_every_n_layers"), KeyUse::followed);
}

TEST(ConfigKey, YarnFollowsEitherItsFactorOrItsScales) {
  EXPECT_EQ(use_in("deepseek_v2", "rope_scaling.mscale"), KeyUse::followed);
  json given = fixture_config("deepseek_v2");
  given["rope_scaling"]["attention_factor"] = 1.25;
  EXPECT_EQ(use_of(keys_of(given), "rope_scaling.mscale"), KeyUse::without_effect);
  EXPECT_EQ(use_of(keys_of(given), "rope_scaling.attention_factor"), KeyUse::followed);
}

}  // namespace
}  // namespace moescope
