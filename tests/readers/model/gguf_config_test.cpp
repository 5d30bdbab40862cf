#include "readers/model/gguf_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "readers/errors.h"
#include "readers/model/gguf_names.h"
#include "readers/model/weight_table.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Metadata of a small model, and the tensors that tell something.
struct ToldModel {
  std::string architecture;
  GgufMetadata metadata;
  std::map<std::string, TensorInfo, std::less<>> tensors;
  std::vector<float> factors = {};  // of the rotary embedding

  explicit ToldModel(const std::string& name) : architecture(name) {
    metadata["general.architecture"] = name;
    for (const auto& [key, value] : std::map<std::string, std::uint64_t>{{"block_count", 3},
                                                                         {"embedding_length", 64},
                                                                         {"context_length", 4096},
                                                                         {"feed_forward_length", 96},
                                                                         {"attention.head_count", 4},
                                                                         {"attention.head_count_kv", 2},
                                                                         {"expert_count", 8},
                                                                         {"expert_used_count", 2},
                                                                         {"expert_feed_forward_length", 32}})
      tell(key, value);
    tell("attention.layer_norm_rms_epsilon", 1e-6f);
    tell("rope.freq_base", 1e6f);
    add("token_embd.weight", {100, 64});
    add("output.weight", {100, 64});
  }
  static ToldModel glm() {
    ToldModel model("glm4moe");
    model.tell("expert_weights_norm", true);
    return model;
  }
  void tell(const std::string& name, GgufValue value) {
    metadata[architecture + "." + name] = std::move(value);
  }
  void add(const std::string& name, std::vector<std::uint64_t> shape) {
    tensors[name] = {name, DType::f32, std::move(shape), 0, 0};
  }
  ModelConfig config() const {
    const FindTensor find = [&](std::string_view name) {
      const auto found = tensors.find(name);
      return found == tensors.end() ? nullptr : &found->second;
    };
    const ReadTensor read = [&](const TensorInfo&) { return factors; };
    const std::string text = gguf_config_json(metadata, find, read, "m.gguf", known_families());
    ModelConfig config = parse_model_config(text, "m.gguf");
    require_as_told(metadata, config, "m.gguf");
    return config;
  }
  std::string refusal() const {
    try {
      config();
    } catch (const InputError& error) {
      return error.what();
    }
    return {};
  }
};

TEST(GgufConfig, NumbersAreThoseOfTheOriginal) {
  const ModelConfig config = ToldModel("qwen3moe").config();
  EXPECT_EQ(config.model_type, "qwen3_moe");
  EXPECT_EQ(config.rms_norm_eps, 1e-6);  // not that of the float
  EXPECT_EQ(config.attention.rotary.base, 1e6);
  EXPECT_EQ(config.vocab_size, 100);
  EXPECT_EQ(config.moe_intermediate_size, 32);
  EXPECT_EQ(config.n_routed_experts, 8);
  EXPECT_FALSE(config.tie_word_embeddings);
}

// llama.cpp's code, not its files, tells whether weights are normalised.
TEST(GgufConfig, WhatNoFileTellsIsOfTheFamily) {
  EXPECT_TRUE(ToldModel("qwen3moe").config().routing.renormalise);
  ToldModel qwen2("qwen2moe");
  qwen2.add("blk.0.ffn_gate_shexp.weight", {48, 64});
  qwen2.add("blk.0.attn_q.bias", {64});
  EXPECT_FALSE(qwen2.config().routing.renormalise);
  EXPECT_EQ(qwen2.config().shared_intermediate_size, 48);
  EXPECT_TRUE(qwen2.config().attention.bias);
  qwen2.tell("expert_weights_norm", true);
  EXPECT_TRUE(qwen2.config().routing.renormalise);
}

TEST(GgufConfig, LlamaIsDenseOrAMixture) {
  ToldModel llama("llama");
  EXPECT_EQ(llama.config().model_type, "mixtral");
  EXPECT_TRUE(llama.config().attention.rotary.interleaved);
  llama.tell("expert_count", std::uint64_t{0});
  EXPECT_EQ(llama.config().model_type, "llama");
  EXPECT_TRUE(llama.config().attention.rotary.interleaved);
}

// The factors are those that llama.cpp's converter writes for Llama 3.1, with a base of 500000 and heads
// of 16.
TEST(GgufConfig, FactorsOfLlama3TellItsStretch) {
  ToldModel llama("llama");
  llama.tell("expert_count", std::uint64_t{0});
  llama.tell("rope.freq_base", 500000.0f);
  llama.add("rope_freqs.weight", {8});
  llama.factors = {1, 1, 1, 1, 2.69453f, 8, 8, 8};
  const RotaryScaling scaling = llama.config().attention.rotary.scaling;
  EXPECT_EQ(scaling.stretch, RotaryStretch::llama3);
  EXPECT_EQ(scaling.factor, 8);
  EXPECT_EQ(scaling.original_positions, 8192);
  llama.factors[4] += 0.01f;
  EXPECT_THAT(llama.refusal(),
              HasSubstr("tensor 'rope_freqs.weight': stretches the rotary embedding feature by feature"));
}

TEST(GgufConfig, OfDeepSeekTheScoreDecides) {
  ToldModel model("deepseek2");
  for (const auto& [key, value] : std::map<std::string, std::uint64_t>{{"attention.kv_lora_rank", 32},
                                                                       {"attention.key_length", 24},
                                                                       {"attention.value_length", 16},
                                                                       {"rope.dimension_count", 8},
                                                                       {"leading_dense_block_count", 1},
                                                                       {"expert_shared_count", 2}})
    model.tell(key, value);
  model.tell("rope.scaling.type", std::string("yarn"));
  model.tell("rope.scaling.factor", 40.0f);
  model.tell("rope.scaling.original_context_length", std::uint64_t{4096});
  model.tell("rope.scaling.yarn_log_multiplier", 0.0707f);
  EXPECT_EQ(model.config().model_type, "deepseek_v2");
  EXPECT_EQ(model.config().attention.latent->own_features, 16);
  EXPECT_EQ(model.config().n_shared_experts, 2);
  EXPECT_NEAR(model.config().attention.score_factor, std::pow(0.1 * 0.707 * std::log(40) + 1, 2), 1e-9);
  model.tell("expert_gating_func", std::uint64_t{2});
  EXPECT_EQ(model.config().model_type, "deepseek_v3");
  EXPECT_THAT(notes_on_untold(model.metadata, model.config(), "m.gguf"),
              ElementsAre(HasSubstr("do not tell of groups of experts (deepseek2.expert_group_count)")));
  model.tell("expert_group_count", std::uint64_t{4});
  model.tell("expert_group_used_count", std::uint64_t{2});
  EXPECT_EQ(model.config().routing.groups, 4);
  EXPECT_THAT(notes_on_untold(model.metadata, model.config(), "m.gguf"), IsEmpty());
  model.add("blk.0.attn_k_b.weight", {4, 16, 32});
  EXPECT_THAT(model.refusal(), HasSubstr("has split kv_b_proj"));
}

TEST(GgufConfig, AShareOfEachHeadIsRotated) {
  for (const std::uint64_t features : {2u, 6u, 14u, 16u}) {
    ToldModel model = ToldModel::glm();
    model.tell("rope.dimension_count", features);
    EXPECT_EQ(model.config().attention.rotary.features, static_cast<std::int64_t>(features));
  }
  EXPECT_EQ(ToldModel::glm().config().attention.rotary.features, 16);
}

TEST(GgufConfig, LayersThatPredictFurtherTokensAreNoLayers) {
  ToldModel model = ToldModel::glm();
  model.tell("nextn_predict_layers", std::uint64_t{1});
  EXPECT_EQ(model.config().num_hidden_layers, 2);
  model.tell("nextn_predict_layers", std::uint64_t{3});
  EXPECT_THAT(model.refusal(),
              HasSubstr("metadata 'glm4moe.block_count': expected 1 to 10000 layers, found 3 of which 3"));
}

TEST(GgufConfig, WhatIsMissingOrOfAnotherTypeIsNamed) {
  ToldModel model("olmoe");
  model.metadata.erase("olmoe.embedding_length");
  EXPECT_THAT(model.refusal(), HasSubstr("m.gguf: metadata 'olmoe.embedding_length': is missing"));
  model.tell("embedding_length", std::string("64"));
  EXPECT_THAT(model.refusal(),
              HasSubstr("metadata 'olmoe.embedding_length': expected an integer, found '64'"));
  model.tell("embedding_length", std::uint64_t{64});
  model.tell("rope.freq_base", std::uint64_t{10000});
  EXPECT_THAT(model.refusal(),
              HasSubstr("metadata 'olmoe.rope.freq_base': expected a number, found '10000'"));
  model.metadata.erase("general.architecture");
  EXPECT_THAT(model.refusal(), HasSubstr("metadata 'general.architecture': is missing"));
  model.tensors.erase("token_embd.weight");
  model.metadata["general.architecture"] = std::string("olmoe");
  EXPECT_THAT(model.refusal(), HasSubstr("tensor 'token_embd.weight': is missing"));
}

TEST(GgufConfig, WhatWouldChangeTheForwardPassIsRefused) {
  const auto refused = [](const std::string& architecture, const std::string& name, GgufValue value) {
    ToldModel model(architecture);
    model.tell(name, std::move(value));
    return model.refusal();
  };
  EXPECT_THAT(refused("qwen3moe", "expert_gating_func", std::uint64_t{2}),
              HasSubstr("metadata 'qwen3moe.expert_gating_func': is not followed"));
  EXPECT_THAT(refused("qwen3moe", "expert_gating_func", std::uint64_t{3}),
              HasSubstr("is a score function that moescope does not know"));
  EXPECT_THAT(refused("qwen3moe", "expert_weights_scale", 2.5f),
              HasSubstr("'qwen3moe.expert_weights_scale': is not followed"));
  EXPECT_THAT(refused("olmoe", "attention.sliding_window", std::uint64_t{128}),
              HasSubstr("'olmoe.attention.sliding_window': is not followed"));
  EXPECT_THAT(refused("qwen3moe", "attention.clamp_kqv", 8.0f),
              HasSubstr("'qwen3moe.attention.clamp_kqv': is not followed"));
  EXPECT_EQ(refused("olmoe", "attention.clamp_kqv", 8.0f), "");
  EXPECT_THAT(refused("qwen3moe", "logit_scale", 8.0f), HasSubstr("'qwen3moe.logit_scale': is not followed"));
  EXPECT_THAT(refused("qwen3moe", "rope.scaling.type", std::string("longrope")),
              HasSubstr("expected none, linear or yarn, found 'longrope'"));
  EXPECT_THAT(refused("qwen3moe", "expert_count", std::uint64_t{0}),
              HasSubstr("'qwen3moe' without experts is not a model that moescope reads"));
  EXPECT_THAT(refused("gpt-oss", "expert_count", std::uint64_t{8}),
              HasSubstr("(expected afmoe, bailingmoe2,"));
}

// What a family has, its file can be asked for.
TEST(GgufNames, AreThereForEveryWeightOfTheFamiliesThatAreRead) {
  for (const Family& family : known_families()) {
    if (family.gguf.architecture.empty()) continue;
    for (const WeightRule& rule : family.weights) {
      const bool fused = std::ranges::any_of(
          gguf_fused(), [&](const FusedRule& f) { return f.parts.front() == rule.role && f.only; });
      EXPECT_TRUE(fused || !gguf_names(rule.role).empty()) << family.model_type << " " << rule.name;
      EXPECT_EQ(fused, rule.scope == Scope::routed_expert) << family.model_type << " " << rule.name;
    }
  }
}

}  // namespace
}  // namespace moescope
