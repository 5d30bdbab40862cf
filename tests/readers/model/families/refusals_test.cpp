#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "readers/errors.h"
#include "readers/files/text_file.h"
#include "readers/model/model_config.h"
#include "tests/support/source_path.h"

namespace moescope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json config_of(const std::string& family) {
  return json::parse(read_whole_file(source_path("data/families/" + family + "/config.json"), 1 << 20));
}

/// What a family says to a configuration with one key set; empty: it follows it.
std::string answer(const std::string& family, const std::string& key, const json& value) {
  json config = config_of(family);
  config[key] = value;
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
  json config = config_of(family);
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

TEST(Families, WithoutExpertsHaveNoMixtureLayer) {
  for (const char* family : {"llama", "qwen3", "olmo2"}) {
    EXPECT_TRUE(read(family).moe_layers().empty());
    EXPECT_EQ(read(family).n_routed_experts, 0);
  }
}

}  // namespace
}  // namespace moescope
