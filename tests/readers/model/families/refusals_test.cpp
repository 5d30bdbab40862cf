#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "readers/errors.h"
#include "tests/readers/model/parsed_config.h"

namespace moescope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// What a family says to a configuration with one key set, "a.b" inside "a"; empty: it follows it.
std::string answer(const std::string& family, const std::string& key, const json& value) {
  json config = fixture_config(family);
  std::string place = "/" + key;
  std::ranges::replace(place, '.', '/');
  config[json::json_pointer(place)] = value;
  try {
    parse_model_config(config.dump(), "config.json");
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

struct Refusal {
  const char* family;
  const char* key;
  json value;
  const char* words;  // in the answer
};

const json yarn = {{"rope_type", "yarn"}, {"factor", 4.0}};
const json dynamic = {{"type", "dynamic"}, {"factor", 4.0}};

// What would change the forward pass unseen is named with its value.
TEST(Families, RefuseWhatTheyDoNotFollow) {
  const std::vector<Refusal> refusals = {
      {"olmoe", "rope_scaling", dynamic, "(expected \"default\", found \"dynamic\")"},
      {"olmoe", "partial_rotary_factor", 0.5, "(expected 1, found 0.5)"},
      {"olmoe", "hidden_act", "gelu", "(expected \"silu\", found \"gelu\")"},
      {"qwen2_moe", "use_sliding_window", true, "(expected false, found true)"},
      {"qwen2_moe", "mlp_only_layers", {0, 1, 2}, "leave no mixture-of-experts layer"},
      {"qwen2_moe", "mlp_only_layers", {7}, "expected integers from 0 to 2, found 7"},
      {"qwen3_moe", "use_sliding_window", true, "(expected false, found true)"},
      {"qwen3_moe", "rope_scaling", yarn, "(expected \"default\", found \"yarn\")"},
      {"qwen3_moe", "decoder_sparse_step", 9, "leave no mixture-of-experts layer"},
      {"mixtral", "rope_parameters", {{"rope_theta", 1e6}, {"rope_type", "longrope"}}, "found \"longrope\")"},
      {"deepseek_v2", "norm_topk_prob", true, "(expected false, found true)"},
      {"deepseek_v2", "scoring_func", "sigmoid", "(expected \"softmax\", found \"sigmoid\")"},
      {"deepseek_v2", "topk_method", "noaux_tc", "\"group_limited_greedy\", found \"noaux_tc\")"},
      {"deepseek_v3", "scoring_func", "softmax", "(expected \"sigmoid\", found \"softmax\")"},
      {"deepseek_v3", "topk_method", "greedy", "(expected \"noaux_tc\", found \"greedy\")"},
      {"deepseek_v3", "rope_scaling", dynamic, "(expected \"default\" or \"yarn\", found \"dynamic\")"},
      {"deepseek_v3", "qk_rope_head_dim", 7, "expected an even number, found 7"},
      {"glm4_moe", "partial_rotary_factor", 0.01, "the share of an even number"},
      {"glm4_moe_lite", "mlp_layer_types", {"dense", "dense", "dense"}, "names no \"sparse\" layer"},
      {"glm4_moe_lite", "mlp_layer_types", {"dense", "sparse"}, "expected 3 entries, found 2"},
      {"glm4_moe_lite", "mlp_layer_types", {"dense", "sparse", "thin"}, "holds the unknown \"thin\""},
      {"bailing_moe_v2", "score_function", "softmax", "(expected \"sigmoid\", found \"softmax\")"},
      {"bailing_moe_v2", "use_bias", true, "(expected false, found true)"},
      {"bailing_moe_v2", "moe_router_enable_expert_bias", false, "(expected true, found false)"},
      {"afmoe", "score_func", "softmax", "(expected \"sigmoid\", found \"softmax\")"},
      {"afmoe", "route_norm", false, "(expected true, found false)"},
      {"afmoe", "n_group", 2, "(expected 1, found 2)"},
      {"minimax_m2", "scoring_func", "softmax", "(expected \"sigmoid\", found \"softmax\")"},
      {"minimax_m2", "attn_type_list", {1, 0, 1}, "(expected 1 for every layer, found 0)"},
      {"minimax_m2", "shared_intermediate_size", 12, "(expected 0, found 12)"},
      {"minimax_m2", "rotary_dim", 5, "expected an even number, found 5"},
      {"emo", "num_experts_per_layer", {8, 4, 8}, "(expected 0 or num_experts = 8 in every layer, found 4)"},
      {"emo", "num_shared_experts_per_layer", {1, 1, 1}, "(expected null)"},
      {"emo", "always_active_experts", {3}, "beside num_shared_experts"},
      {"gpt_oss", "rope_scaling", nullptr, "(expected a yarn scaling, found null)"},
      {"gpt_oss", "rope_scaling", dynamic, "(expected \"default\" or \"yarn\", found \"dynamic\")"},
      {"llama", "rope_scaling", yarn, "(expected \"default\" or \"linear\" or \"llama3\", found \"yarn\")"},
      {"llama",
       "rope_scaling",
       {{"rope_type", "llama3"}, {"factor", 8.0}},
       "original_max_position_embeddings"},
      {"qwen3", "use_sliding_window", true, "(expected false, found true)"},
      {"olmo2", "rope_scaling", yarn, "(expected \"default\", found \"yarn\")"},
      {"qwen3_next", "attention_bias", true, "(expected false, found true)"},
      {"qwen3_next", "use_sliding_window", true, "(expected false, found true)"},
      {"qwen3_next", "linear_num_value_heads", 3, "is not a multiple of linear_num_key_heads 2"},
      {"qwen3_next", "layer_types", {"linear_attention"}, "expected 3 entries, found 1"},
      {"qwen3_next", "rope_scaling", yarn, "(expected \"default\", found \"yarn\")"},
      {"qwen3_5_moe", "text_config.attn_output_gate", false, "(expected true, found false)"},
      {"qwen3_5_moe", "text_config.num_experts", 0, "expected an integer from 1 to 65536, found 0"},
      {"qwen3_5_moe", "text_config.tie_word_embeddings", true, "differs from that of the whole model"},
      {"qwen3_next", "partial_rotary_factor", 0.01, "the share of an even number"},
      {"flame_moe", "normalization", "LayerNorm", "(expected \"RMSNorm\", found \"LayerNorm\")"},
      {"flame_moe", "qk_layernorm", true, "(expected false, found true)"},
      {"flame_moe", "moe_router_num_groups", 2, "(expected null, found 2)"},
      {"flame_moe", "moe_layer_freq", {0, 0, 0}, "leaves no mixture-of-experts layer"},
      {"flame_moe", "moe_layer_freq", {0, 1}, "expected 3 entries, found 2"},
      {"flame_moe", "rotary_percent", 0.1, "the share of an even number"},
      {"flame_moe", "kv_channels", 7, "expected an even number, found 7"},
      {"dots1_fp8", "quantization_config", {{"quant_method", "awq"}}, "found \"awq\")"},
      {"deepseek_v3_fp8",
       "quantization_config",
       {{"quant_method", "fp8"}, {"fmt", "e5m2"}},
       "found \"e5m2\")"},
  };
  for (const Refusal& refusal : refusals) {
    const std::string said = answer(refusal.family, refusal.key, refusal.value);
    EXPECT_THAT(said, HasSubstr(refusal.key)) << refusal.family;
    EXPECT_THAT(said, HasSubstr(refusal.words)) << refusal.family;
  }
}

TEST(Families, OfOneModelTypeAreToldApartByTheirArchitecture) {
  EXPECT_THAT(answer("bailing_moe_v2", "architectures", {"BailingMoeForCausalLM"}),
              HasSubstr("is not an architecture that moescope knows for model_type \"bailing_moe\""));
}

ModelConfig read(const std::string& family, const json& changes = json::object()) {
  json config = fixture_config(family);
  config.update(changes);
  return parse_model_config(config.dump(), "config.json");
}

// DeepSeek-V2-Lite: 0.1 * 0.707 * ln 40 + 1 = 1.2608, squared 1.5896.
TEST(Families, YarnSharpensTheScoresOfLatentAttention) {
  const ModelConfig config = read("deepseek_v2", {{"rope_scaling",
                                                   {{"type", "yarn"},
                                                    {"factor", 40},
                                                    {"mscale", 0.707},
                                                    {"mscale_all_dim", 0.707},
                                                    {"original_max_position_embeddings", 4096}}}});
  EXPECT_NEAR(config.attention.score_factor, 1.5896, 1e-4);
  EXPECT_EQ(config.attention.rotary.amplitude, 1);
  EXPECT_EQ(config.attention.rotary.scaling.high, 32);
  EXPECT_TRUE(config.attention.rotary.interleaved);
}

TEST(Families, AGreedyChoiceKnowsNoGroups) {
  EXPECT_EQ(
      read("deepseek_v2", {{"topk_method", "greedy"}, {"n_group", 8}, {"topk_group", 3}}).routing.groups, 1);
  EXPECT_EQ(read("deepseek_v2", {{"topk_method", "group_limited_greedy"}, {"n_group", 8}, {"topk_group", 3}})
                .routing.groups,
            8);
}

// A text-only file has the same keys at the top.
TEST(Families, TheLanguageModelOfALargerOneIsReadAsByItself) {
  json alone = fixture_config("qwen3_5_moe").at("text_config");
  alone["architectures"] = {"Qwen3_5MoeForCausalLM"};
  const ModelConfig inside = read("qwen3_5_moe"), text = parse_model_config(alone.dump(), "config.json");
  EXPECT_EQ(text.model_type, "qwen3_5_moe_text");
  EXPECT_EQ(inside.attention, text.attention);
  EXPECT_EQ(inside.routing, text.routing);
  EXPECT_EQ(inside.n_routed_experts, text.n_routed_experts);
  EXPECT_EQ(inside.attention.rotary.features, 4);  // a quarter of 16
}

TEST(Families, LinearLayersAreListedOrCounted) {
  using testing::ElementsAre;
  EXPECT_THAT(read("qwen3_next").attention.linear->layers, ElementsAre(true, false, true));
  EXPECT_THAT(
      read("qwen3_next", {{"layer_types", nullptr}, {"full_attention_interval", 3}}).attention.linear->layers,
      ElementsAre(true, true, false));
  const json types = {"full_attention", "linear_attention", "full_attention"};
  EXPECT_THAT(read("qwen3_next", {{"layer_types", types}}).attention.linear->layers,
              ElementsAre(false, true, false));
}

// Without groups their number, which Megatron writes all the same, means nothing.
TEST(Families, MegatronsArgumentsSayWhichHeadsShareKeys) {
  EXPECT_EQ(
      read("flame_moe", {{"num_query_groups", 1}, {"group_query_attention", false}}).num_key_value_heads, 4);
  EXPECT_EQ(read("flame_moe", {{"num_query_groups", 2}, {"group_query_attention", true}}).num_key_value_heads,
            2);
  EXPECT_EQ(read("flame_moe", {{"params_dtype", "torch.float32"}}).torch_dtype, "float32");
  EXPECT_EQ(read("flame_moe", {{"moe_layer_freq", 2}}).moe_layers(), (std::vector<std::int64_t>{0, 2}));
}

TEST(Families, WithoutExpertsHaveNoMixtureLayer) {
  for (const char* family : {"llama", "qwen3", "olmo2"}) {
    EXPECT_TRUE(read(family).moe_layers().empty());
    EXPECT_EQ(read(family).n_routed_experts, 0);
  }
}

}  // namespace
}  // namespace moescope
