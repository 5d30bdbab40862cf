#include "readers/model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/readers/model/parsed_config.h"

namespace moescope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(ModelConfig, AMissingKeyThatMattersIsNamed) {
  for (const char* key :
       {"model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
        "moe_intermediate_size", "n_routed_experts", "n_shared_experts", "num_experts_per_tok",
        "first_k_dense_replace", "norm_topk_prob", "routed_scaling_factor", "rms_norm_eps", "rope_theta",
        "max_position_embeddings", "attention_bias", "hidden_act", "tie_word_embeddings", "vocab_size"}) {
    EXPECT_EQ(invalid([&](json& document) { document.erase(key); }),
              std::string("config.json: '") + key + "': is missing");
    if (std::string(key) == "n_shared_experts") continue;  // null there means none
    EXPECT_THAT(invalid(set(key, nullptr)), HasSubstr(std::string("'") + key + "': is null")) << key;
  }
}

TEST(ModelConfig, RefusesOtherModels) {
  EXPECT_THAT(
      unsupported(set("model_type", "gpt2")),
      AllOf(HasSubstr("config.json: 'model_type': is not a model that moescope knows (expected \"afmoe\", "),
            HasSubstr("\"dots1\""), HasSubstr(", found \"gpt2\")")));
  EXPECT_THAT(unsupported(set("model_type", "llama")), HasSubstr("'architectures'"));
  EXPECT_THAT(unsupported(set("architectures", {"LlamaForCausalLM"})), HasSubstr("'architectures'"));
}

TEST(ModelConfig, RefusesQuantisedWeights) {
  const auto quantised = [](const char* key, const json& value) {
    json document = {{"quant_method", "fp8"}};
    document[key] = value;
    return set("quantization_config", document);
  };
  const Quantisation blocks = parse(quantised("weight_block_size", {64, 32})).quantisation;
  EXPECT_EQ(blocks.scaled_by, ScaledBy::blocks);
  EXPECT_EQ(blocks.block_cols, 32);
  EXPECT_EQ(parse(set("quantization_config", nullptr)).quantisation.scaled_by, ScaledBy::nothing);
  for (const char* name : {"e4m3", "float8_e4m3fn"})  // the latter in MiniMax-M2's release
    EXPECT_EQ(parse(quantised("fmt", name)).quantisation.block_rows, 128);
  EXPECT_THAT(unsupported(quantised("quant_method", "gptq")),
              HasSubstr("'quantization_config.quant_method': is not supported (expected \"fp8\", "
                        "\"compressed-tensors\" or \"mxfp4\", found \"gptq\")"));
  EXPECT_THAT(unsupported(quantised("fmt", "e5m2")), HasSubstr("'quantization_config.fmt'"));
  EXPECT_THAT(invalid(quantised("weight_block_size", {0, 128})),
              HasSubstr("'quantization_config.weight_block_size'"));
  EXPECT_THAT(invalid(quantised("weight_block_size", {128})), HasSubstr("expected two sizes"));
}

TEST(ModelConfig, FollowsCompressedTensorsOfRowsAlone) {
  const auto strategy = [](const char* name) {
    return set("quantization_config",
               {{"quant_method", "compressed-tensors"},
                {"format", "float-quantized"},
                {"config_groups",
                 {{"group_0", {{"weights", {{"num_bits", 8}, {"type", "float"}, {"strategy", name}}}}}}}});
  };
  EXPECT_EQ(parse(strategy("channel")).quantisation.scaled_by, ScaledBy::rows);
  EXPECT_THAT(unsupported(strategy("tensor")),
              HasSubstr("'quantization_config.config_groups.group_0.weights.strategy'"));
}

TEST(ModelConfig, RefusesOtherActivations) {
  EXPECT_EQ(unsupported(set("hidden_act", "gelu")),
            "config.json: 'hidden_act': is not supported (expected \"silu\", found \"gelu\")");
}

TEST(ModelConfig, ReadsTheNewerNameOfTheDtype) {
  const ModelConfig config = parse([](json& document) {
    document.erase("torch_dtype");
    document["dtype"] = "float32";
  });
  EXPECT_EQ(config.torch_dtype, "float32");
}

TEST(ModelConfig, ReadsAnExplicitHeadDim) {
  EXPECT_EQ(parse(set("head_dim", 64)).head_dim, 64);
  EXPECT_EQ(parse(set("head_dim", nullptr)).head_dim, 128);
  EXPECT_THAT(invalid(set("head_dim", 63)), HasSubstr("'head_dim': expected an even number, found 63"));
  EXPECT_THAT(invalid(set("hidden_size", 4097)), HasSubstr("'head_dim': is missing, and hidden_size 4097"));
}

TEST(ModelConfig, SizesArePositiveIntegersOfACredibleMagnitude) {
  for (const char* key :
       {"hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
        "intermediate_size", "moe_intermediate_size", "n_routed_experts", "num_experts_per_tok",
        "moe_layer_freq", "n_group", "vocab_size", "max_position_embeddings"}) {
    for (const json& value : {json(0), json(-1), json(1.5), json(1e18), json(1000000000000000000), json("8"),
                              json(true), json(18446744073709551615u), json(json::array())}) {
      EXPECT_THAT(invalid(set(key, value)),
                  HasSubstr(std::string("'") + key + "': expected an integer from 1 to"))
          << value;
    }
  }
}

TEST(ModelConfig, ProductsOfSizesAreCredibleToo) {
  EXPECT_THAT(invalid([](json& document) {
                document["num_hidden_layers"] = 10000;
                document["n_routed_experts"] = 65536;
                document["hidden_size"] = document["moe_intermediate_size"] = 1 << 20;
              }),
              HasSubstr("describe more than 2^56 parameters"));
}

TEST(ModelConfig, SizesFitTogether) {
  EXPECT_EQ(invalid(set("num_experts_per_tok", 129)),
            "config.json: 'num_experts_per_tok': expected at most n_routed_experts = 128, found 129");
  EXPECT_THAT(invalid(set("num_key_value_heads", 5)),
              HasSubstr("32 is not a multiple of num_key_value_heads 5"));
  EXPECT_THAT(invalid(set("num_key_value_heads", 64)),
              HasSubstr("expected an integer from 1 to 32, found 64"));
  EXPECT_THAT(invalid(set("first_k_dense_replace", 62)), HasSubstr("leaves no mixture-of-experts layer"));
}

TEST(ModelConfig, GroupsFitTogether) {
  const auto groups = [](const json& n_group, const json& topk_group) {
    return [=](json& document) {
      document["n_group"] = n_group;
      document["topk_group"] = topk_group;
    };
  };
  EXPECT_EQ(parse(groups(8, 4)).routing.kept_groups, 4);
  EXPECT_EQ(parse(groups(nullptr, nullptr)).routing.groups, 1);
  EXPECT_THAT(invalid(groups(5, 1)),
              HasSubstr("'n_group': does not divide n_routed_experts = 128 (found 5)"));
  EXPECT_THAT(invalid(groups(8, 9)), HasSubstr("'topk_group': expected an integer from 1 to 8, found 9"));
  EXPECT_THAT(invalid(groups(8, nullptr)), HasSubstr("'topk_group': is null"));
  EXPECT_THAT(invalid(groups(1, 2)), HasSubstr("'topk_group': expected an integer from 1 to 1"));
  EXPECT_THAT(invalid(groups(128, 64)), HasSubstr("leaves fewer than 2 experts in a group"));
  EXPECT_THAT(invalid(groups(64, 2)),
              HasSubstr("expected at most the 4 experts of topk_group = 2 groups, found 6"));
}

TEST(ModelConfig, FactorsArePositiveAndFinite) {
  for (const char* key : {"rms_norm_eps", "rope_theta", "routed_scaling_factor"}) {
    for (const json& value : {json(0), json(-1e-5), json("1e-5"), json(false)}) {
      EXPECT_THAT(invalid(set(key, value)),
                  HasSubstr(std::string("'") + key + "': expected a positive number"));
    }
  }
}

TEST(ModelConfig, FlagsAreTrueOrFalse) {
  for (const char* key : {"norm_topk_prob", "attention_bias", "tie_word_embeddings"}) {
    EXPECT_THAT(invalid(set(key, 1)),
                HasSubstr(std::string("'") + key + "': expected true or false, found 1"));
  }
}

TEST(ModelConfig, ReadsTheFirstOfSeveralEndTokens) {
  EXPECT_EQ(parse(set("eos_token_id", {7, 8})).eos_token_id, 7);
  EXPECT_EQ(parse(set("eos_token_id", json::array())).eos_token_id, std::nullopt);
  EXPECT_THAT(invalid(set("eos_token_id", "end")), HasSubstr("'eos_token_id': expected an integer"));
}

TEST(ModelConfig, RefusesAKeyThatStandsTwice) {
  const std::string text = R"({"hidden_size": 1, "hidden_\u0073ize": 2})";
  EXPECT_THAT(invalid([&](json&) { parse_model_config(text, "config.json"); }),
              HasSubstr("config.json: key 'hidden_size': stands twice in one JSON object"));
}

TEST(ModelConfig, RefusesWhatIsNotOneJsonObject) {
  for (const std::string text : {"", "[]", "{", "{}x", "\xEF\xBB\xBF{}", "{\"a\":\"\xFF\"}", "1e999"}) {
    EXPECT_THROW(parse_model_config(text, "config.json"), FormatError) << text;
  }
  EXPECT_THROW(parse_model_config(std::string("{}\0", 3), "config.json"), FormatError);
  EXPECT_THROW(parse_model_config(std::string(100000, '['), "config.json"), FormatError);
}

// Python's json writes these words, which are no JSON, and reads them.
TEST(ModelConfig, BareConstantsOfPythonMatterOnlyWhereTheyAreFollowed) {
  const auto with = [](const std::string& entry) {
    std::string text = dots_llm1().dump();
    return text.replace(0, 1, "{" + entry + ",");
  };
  for (const char* entry : {R"("time_step_limit":[0.0,Infinity])", R"("some_ratio":NaN)",
                            R"("low":-Infinity)", R"("word":"NaN, \"Infinity\"","inner":{"x":NaN})"}) {
    EXPECT_EQ(parse_model_config(with(entry), "config.json").hidden_size, 4096) << entry;
  }
  const auto refusal = [&](const std::string& key, const std::string& value) {
    json document = dots_llm1();
    document.erase(key);
    std::string text = document.dump();
    try {
      parse_model_config(text.replace(0, 1, "{\"" + key + "\":" + value + ","), "config.json");
    } catch (const FormatError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refusal("rope_theta", "Infinity"),
            "config.json: 'rope_theta': expected a positive number, found Infinity");
  EXPECT_THAT(refusal("hidden_size", "NaN"), HasSubstr("'hidden_size': expected an integer"));
  EXPECT_THAT(refusal("rms_norm_eps", "-Infinity"), HasSubstr("expected a positive number, found -Infinity"));
  EXPECT_THAT(refusal("hidden_size", "Infinit"), HasSubstr("is not valid JSON"));
  EXPECT_THAT(refusal("hidden_size", "NaNs"), HasSubstr("is not valid JSON"));
}

TEST(ModelConfig, AByteOrderMarkIsNamed) {
  try {
    parse_model_config("\xEF\xBB\xBF" + dots_llm1().dump(), "config.json");
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("config.json: begins with a byte order mark"));
  }
}

}  // namespace
}  // namespace moescope
