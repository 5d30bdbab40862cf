#include "readers/model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "tests/support/source_path.h"

namespace moescope {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// config.json of dots.llm1.base as released, in the keys that describe the model.
json dots_llm1() {
  return json::parse(R"({
    "architectures": ["Dots1ForCausalLM"], "model_type": "dots1", "hidden_size": 4096, "num_hidden_layers": 62,
    "num_attention_heads": 32, "num_key_value_heads": 32, "intermediate_size": 10944, "moe_intermediate_size": 1408,
    "n_routed_experts": 128, "n_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 1,
    "moe_layer_freq": 1, "norm_topk_prob": true, "routed_scaling_factor": 2.5, "scoring_func": "sigmoid",
    "topk_method": "noaux_tc", "rms_norm_eps": 1e-5, "rope_theta": 10000000, "rope_scaling": null,
    "sliding_window": null, "max_position_embeddings": 32768, "attention_bias": false, "hidden_act": "silu",
    "tie_word_embeddings": false, "vocab_size": 152064, "torch_dtype": "bfloat16", "bos_token_id": null,
    "eos_token_id": 151643})");
}

using Edit = std::function<void(json&)>;

ModelConfig parse(const Edit& edit = [](json&) {}) {
  json document = dots_llm1();
  edit(document);
  return parse_model_config(document.dump(), "config.json");
}

/// Message of a FormatError; fails for UnsupportedModel.
std::string invalid(const Edit& edit) {
  try {
    parse(edit);
  } catch (const FormatError& error) {
    return error.what();
  }
  return {};
}

std::string unsupported(const Edit& edit) {
  try {
    parse(edit);
  } catch (const UnsupportedModel& error) {
    return error.what();
  }
  return {};
}

Edit set(const char* key, const json& value) {
  return [=](json& document) { document[key] = value; };
}

TEST(ModelConfig, ReadsDotsLlm1) {
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

TEST(ModelConfig, ReadsTheDemoSeries) {
  const std::string file = source_path("data/tiny-dots1/tiny-dots1-11.2T/config.json");
  const ModelConfig config = parse_model_config(read_whole_file(file), file);
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.routing.score, ScoreFunction::sigmoid);  // the file has the early spelling
  EXPECT_THAT(config.moe_layers(), ElementsAre(1, 2, 3, 4, 5));
}

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

TEST(ModelConfig, KeysAbsentInTheWildHaveTheirMeaning) {
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

TEST(ModelConfig, AcceptsTheEarlySpellingOfTheRouter) {
  const ModelConfig config = parse([](json& document) {
    document["scoring_func"] = "noaux_tc";
    document.erase("topk_method");
  });
  EXPECT_EQ(config.routing.score, ScoreFunction::sigmoid);
}

TEST(ModelConfig, RefusesOtherRouters) {
  EXPECT_EQ(
      unsupported(set("scoring_func", "softmax")),
      "config.json: 'scoring_func': is not supported for model_type \"dots1\" (expected \"sigmoid\", found "
      "\"softmax\")");
  EXPECT_EQ(unsupported(set("topk_method", "greedy")),
            "config.json: 'topk_method': is not supported (expected \"noaux_tc\", found \"greedy\")");
}

TEST(ModelConfig, RefusesOtherModels) {
  EXPECT_EQ(
      unsupported(set("model_type", "llama")),
      "config.json: 'model_type': is not a model that moescope knows (expected \"dots1\", found \"llama\")");
  EXPECT_THAT(unsupported(set("architectures", {"LlamaForCausalLM"})), HasSubstr("'architectures'"));
}

TEST(ModelConfig, RefusesQuantisedWeights) {
  EXPECT_THAT(unsupported(set("quantization_config", {{"quant_method", "fp8"}})),
              HasSubstr("'quantization_config'"));
  EXPECT_NO_THROW(parse(set("quantization_config", nullptr)));
}

TEST(ModelConfig, RefusesOtherActivations) {
  EXPECT_EQ(unsupported(set("hidden_act", "gelu")),
            "config.json: 'hidden_act': is not supported (expected \"silu\", found \"gelu\")");
}

TEST(ModelConfig, ReadsRopeParametersOfNewerFiles) {
  const auto newer = [](const json& parameters) {
    return [=](json& document) {
      document.erase("rope_theta");
      document.erase("rope_scaling");
      document["rope_parameters"] = parameters;
    };
  };
  EXPECT_EQ(parse(newer({{"rope_type", "default"}, {"rope_theta", 5e5}})).attention.rotary.base, 5e5);
  EXPECT_EQ(parse(newer({{"rope_theta", 5e5}})).attention.rotary.base, 5e5);
  EXPECT_THAT(invalid(newer({{"rope_type", "default"}})), HasSubstr("'rope_theta': is missing"));
  EXPECT_THAT(unsupported(newer({{"rope_type", "yarn"}, {"rope_theta", 5e5}, {"factor", 4}})),
              HasSubstr("'rope_parameters.rope_type'"));
  EXPECT_THAT(unsupported(newer({{"rope_theta", 5e5}, {"factor", 4}})),
              HasSubstr("'rope_parameters.factor'"));
  EXPECT_THAT(
      unsupported(newer({{"rope_type", "default"}, {"rope_theta", 1e4}, {"partial_rotary_factor", 0.5}})),
      HasSubstr("'rope_parameters.partial_rotary_factor'"));
}

TEST(ModelConfig, RefusesRotaryScaling) {
  EXPECT_EQ(unsupported(set("rope_scaling", {{"type", "yarn"}, {"factor", 4.0}})),
            "config.json: 'rope_scaling.type': is a rotary embedding that moescope does not know (expected "
            "\"default\", found \"yarn\")");
  EXPECT_THAT(unsupported(set("rope_scaling", {{"rope_type", "linear"}})),
              HasSubstr("'rope_scaling.rope_type'"));
  EXPECT_NO_THROW(parse(set("rope_scaling", {{"rope_type", "default"}})));
  EXPECT_THAT(invalid(set("rope_scaling", "yarn")), HasSubstr("'rope_scaling': expected a JSON object"));
}

TEST(ModelConfig, RefusesTwoDifferentRopeThetas) {
  EXPECT_THAT(invalid(set("rope_parameters", {{"rope_theta", 1e4}})),
              HasSubstr("'rope_theta': differs from rope_parameters.rope_theta"));
  EXPECT_EQ(parse(set("rope_parameters", {{"rope_theta", 1e7}})).attention.rotary.base, 1e7);
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

TEST(ModelConfig, SlidingLayersFollowTheWindowAndTheirIndex) {
  const ModelConfig config = parse([](json& document) {
    document["sliding_window"] = 4096;
    document["max_window_layers"] = 60;
    document["use_sliding_window"] = false;  // the reference model does not consult it
  });
  EXPECT_EQ(config.attention.window, 4096);
  EXPECT_FALSE(config.attention.window_in(59));
  EXPECT_TRUE(config.attention.window_in(60));
  EXPECT_FALSE(parse(set("max_window_layers", 0)).attention.window_in(3));  // no window
  EXPECT_EQ(invalid(set("sliding_window", 4096)), "config.json: 'max_window_layers': is missing");
  EXPECT_THAT(invalid(set("sliding_window", 0)), HasSubstr("'sliding_window': expected an integer from 1"));
}

TEST(ModelConfig, AListOfLayerTypesWins) {
  const auto listed = [](json& document) {
    document["num_hidden_layers"] = 3;
    document["sliding_window"] = 8;
    document["max_window_layers"] = 0;
    document["layer_types"] = {"full_attention", "sliding_attention", "full_attention"};
  };
  const ModelConfig config = parse(listed);
  EXPECT_FALSE(config.attention.window_in(0));
  EXPECT_TRUE(config.attention.window_in(1));
  EXPECT_FALSE(config.attention.window_in(2));
  const auto with = [&](const char* key, const json& value) {
    return [=](json& document) {
      listed(document);
      document[key] = value;
    };
  };
  EXPECT_NO_THROW(parse(with("max_window_layers", nullptr)));
  EXPECT_THAT(invalid(with("num_hidden_layers", 4)),
              HasSubstr("does not name every layer (expected 4 entries, found 3)"));
  EXPECT_THAT(invalid(with("sliding_window", nullptr)), HasSubstr("but sliding_window is null"));
  EXPECT_THAT(unsupported(with("layer_types", {"full_attention", "linear_attention", "full_attention"})),
              HasSubstr("'layer_types': holds the unknown \"linear_attention\""));
  EXPECT_THAT(invalid(with("layer_types", "full_attention")), HasSubstr("expected an array of strings"));
  EXPECT_THAT(invalid(with("layer_types", {1, 2, 3})), HasSubstr("expected an array of strings"));
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

TEST(ModelConfig, WithoutSharedExpertsTheKeyIsNullOrZero) {
  EXPECT_EQ(parse(set("n_shared_experts", nullptr)).n_shared_experts, 0);
  EXPECT_EQ(parse(set("n_shared_experts", 0)).n_shared_experts, 0);
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

TEST(ModelConfig, DifferencesNameTheFieldAndBothValues) {
  const ModelConfig before = parse(set("max_position_embeddings", 8192));
  EXPECT_THAT(config_differences(before, before), IsEmpty());
  EXPECT_THAT(config_differences(before, parse()), ElementsAre("max_position_embeddings: 8192, 32768"));
  EXPECT_THAT(config_differences(parse(), parse(set("eos_token_id", nullptr))),
              ElementsAre("eos_token_id: 151643, null"));
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
