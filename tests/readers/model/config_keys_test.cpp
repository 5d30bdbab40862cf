#include "readers/model/config_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "readers/files/source_file.h"
#include "tests/readers/model/parsed_config.h"
#include "tests/support/source_path.h"

namespace moescope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(ConfigKeys, ReadsRopeParametersOfNewerFiles) {
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

TEST(ConfigKeys, RefusesRotaryScaling) {
  EXPECT_EQ(unsupported(set("rope_scaling", {{"type", "yarn"}, {"factor", 4.0}})),
            "config.json: 'rope_scaling.type': is a rotary embedding that moescope does not know (expected "
            "\"default\", found \"yarn\")");
  EXPECT_THAT(unsupported(set("rope_scaling", {{"rope_type", "linear"}})),
              HasSubstr("'rope_scaling.rope_type'"));
  EXPECT_NO_THROW(parse(set("rope_scaling", {{"rope_type", "default"}})));
  EXPECT_THAT(invalid(set("rope_scaling", "yarn")), HasSubstr("'rope_scaling': expected a JSON object"));
}

TEST(ConfigKeys, RefusesTwoDifferentShares) {
  json document = json::parse(
      read_whole_file(source_path("data/families/glm4_moe/config.json"), 1 << 20));  // its share is 0.5
  document["rope_parameters"] = {{"rope_theta", 1e6}, {"partial_rotary_factor", 0.5}};
  EXPECT_EQ(parse_model_config(document.dump(), "config.json").attention.rotary.features, 8);
  document["rope_parameters"]["partial_rotary_factor"] = 0.25;
  EXPECT_THROW(parse_model_config(document.dump(), "config.json"), FormatError);
}

TEST(ConfigKeys, RefusesTwoDifferentRopeThetas) {
  EXPECT_THAT(invalid(set("rope_parameters", {{"rope_theta", 1e4}})),
              HasSubstr("'rope_theta': differs from rope_parameters.rope_theta"));
  EXPECT_EQ(parse(set("rope_parameters", {{"rope_theta", 1e7}})).attention.rotary.base, 1e7);
}

TEST(ConfigKeys, SlidingLayersFollowTheWindowAndTheirIndex) {
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

TEST(ConfigKeys, AListOfLayerTypesWins) {
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

}  // namespace
}  // namespace moescope
