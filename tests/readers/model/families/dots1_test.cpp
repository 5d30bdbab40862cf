#include "readers/model/family.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "readers/files/source_file.h"
#include "tests/readers/model/parsed_config.h"
#include "tests/support/source_path.h"

namespace moescope {
namespace {

using nlohmann::json;
using testing::ElementsAre;

TEST(Dots1, ReadsDotsLlm1) {
  const ModelConfig config = parse();
  EXPECT_EQ(config.hidden_size, 4096);
  EXPECT_EQ(config.head_dim, 128);           // absent: hidden_size / num_attention_heads
  EXPECT_EQ(config.routing.groups, 1);       // absent
  EXPECT_EQ(config.routing.kept_groups, 1);  // absent
  EXPECT_EQ(config.routing.score, ScoreFunction::sigmoid);
  EXPECT_EQ(config.routing.scale, 2.5);
  EXPECT_EQ(config.attention.rotary.base, 1e7);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_EQ(config.attention.window, std::nullopt);
  EXPECT_EQ(config.eos_token_id, 151643);
  EXPECT_EQ(config.torch_dtype, "bfloat16");
  EXPECT_EQ(config.moe_layers().size(), 61u);
  EXPECT_EQ(config.moe_layers().front(), 1);
}

TEST(Dots1, ReadsTheDemoSeries) {
  const std::string file = source_path("data/tiny-dots1/tiny-dots1-11.2T/config.json");
  const ModelConfig config = parse_model_config(read_whole_file(file), file);
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.routing.score, ScoreFunction::sigmoid);  // the file has the early spelling
  EXPECT_THAT(config.moe_layers(), ElementsAre(1, 2, 3, 4, 5));
}

TEST(Dots1, KeysAbsentInTheWildHaveTheirMeaning) {
  const ModelConfig config = parse([](json& document) {
    for (const char* key :
         {"num_key_value_heads", "moe_layer_freq", "scoring_func", "topk_method", "rope_scaling",
          "sliding_window", "torch_dtype", "eos_token_id", "architectures"}) {
      document.erase(key);
    }
  });
  EXPECT_EQ(config.num_key_value_heads, 32);
  EXPECT_EQ(config.moe_layers().size(), 61u);
  EXPECT_EQ(config.routing.score, ScoreFunction::sigmoid);
  EXPECT_EQ(config.torch_dtype, "");
  EXPECT_EQ(config.eos_token_id, std::nullopt);
}

TEST(Dots1, AcceptsTheEarlySpellingOfTheRouter) {
  const ModelConfig config = parse([](json& document) {
    document["scoring_func"] = "noaux_tc";
    document.erase("topk_method");
  });
  EXPECT_EQ(config.routing.score, ScoreFunction::sigmoid);
}

TEST(Dots1, RefusesOtherRouters) {
  EXPECT_EQ(
      unsupported(set("scoring_func", "softmax")),
      "config.json: 'scoring_func': is not supported for model_type \"dots1\" (expected \"sigmoid\", found "
      "\"softmax\")");
  EXPECT_EQ(unsupported(set("topk_method", "greedy")),
            "config.json: 'topk_method': is not supported (expected \"noaux_tc\", found \"greedy\")");
}

TEST(Dots1, WithoutSharedExpertsTheKeyIsNullOrZero) {
  EXPECT_EQ(parse(set("n_shared_experts", nullptr)).n_shared_experts, 0);
  EXPECT_EQ(parse(set("n_shared_experts", 0)).n_shared_experts, 0);
}

}  // namespace
}  // namespace moescope
