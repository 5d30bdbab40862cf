// The forward pass against a float64 reference, for every choice that a scheme has. Tolerances are those of
// forward_golden_test.cpp, for the same reason.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "analysis/forward/forward.h"
#include "tests/support/family_checkpoint.h"
#include "tests/support/reference_forward.h"
#include "tests/support/scheme_family.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using Json = nlohmann::ordered_json;

constexpr double scheme_tolerance = 2e-4;

struct SchemePass : ForwardObserver {
  std::vector<std::vector<float>> hidden;
  std::map<std::int64_t, std::vector<float>> scores, weights;
  std::map<std::int64_t, std::vector<std::uint16_t>> experts;
  std::vector<float> nll;

  void router_output(const RouterOutput& routing) override {
    scores[routing.layer].assign(routing.scores.values.begin(), routing.scores.values.end());
    weights[routing.layer] = routing.topk_weight;
    experts[routing.layer] = routing.topk_index;
  }
  void hidden_state(std::int64_t, std::size_t, const Matrix& x) override {
    hidden.emplace_back(x.values.begin(), x.values.end());
  }
  void token_losses(std::size_t, std::span<const float> losses) override {
    nll.assign(losses.begin(), losses.end());
  }
};

void expect_near(const std::vector<float>& found, const std::vector<double>& expected,
                 const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (std::isnan(expected[i])) {
      EXPECT_TRUE(std::isnan(found[i])) << what << " " << i;
    } else {
      ASSERT_NEAR(found[i], expected[i], scheme_tolerance) << what << " " << i;
    }
  }
}

struct Choice {
  const char* name;
  Json edit;  // of scheme_config()
};

std::vector<Choice> choices() {
  const Json all_slide = {{"window", 5}, {"sliding", {true, true, true}}};
  return {
      {"AsDots1", Json::object()},
      {"SoftmaxScores", {{"score", "softmax"}}},
      {"SoftmaxScoresAsTheyAre", {{"score", "softmax"}, {"renormalise", false}, {"scale", 1.0}}},
      {"SigmoidScoresAsTheyAre", {{"renormalise", false}}},
      {"AnEpsilonThatCounts", {{"epsilon", 0.5}}},
      {"NoSelectionBias", {{"model_type", "scheme_without_selection_bias"}}},
      {"SoftmaxWithoutSelectionBias",
       {{"model_type", "scheme_without_selection_bias"}, {"score", "softmax"}, {"renormalise", false}}},
      {"GroupsByTheirTwoBest", {{"groups", 4}, {"kept_groups", 2}}},
      {"GroupsByTheirBest", {{"groups", 4}, {"group_score", "best"}}},
      {"NoSharedExpert", {{"shared_experts", 0}}},
      {"OneExpertAToken", {{"num_experts_per_tok", 1}}},
      {"EverySecondLayerAMixture", {{"mixture", {true, false, true}}}},
      {"NoMixtureAtAll", {{"mixture", {false, false, false}}}},
      {"NoQueryKeyNorm", {{"query_key_norm", "none"}}},
      {"QueryKeyNormOverTheFullWidth", {{"query_key_norm", "full_width"}}},
      {"OneKeyValueHead", {{"num_key_value_heads", 1}, {"query_key_norm", "full_width"}}},
      {"Biases", {{"bias", true}}},
      {"BiasesButOfTheOutput", {{"bias", true}, {"model_type", "scheme_without_output_bias"}}},
      {"HalfOfAHeadRotated", {{"rotary_features", 4}}},
      {"SmallRotaryBase", {{"rotary_base", 50.0}}},
      {"WindowEverywhere", all_slide},
      {"WindowInTheMiddle", {{"window", 3}, {"sliding", {false, true, false}}}},
      {"AWindowThatNoLayerHas", {{"window", 3}}},
      {"TiedHead", {{"tie_word_embeddings", true}}},
      {"AllAtOnce",
       {{"model_type", "scheme_without_selection_bias"},
        {"score", "softmax"},
        {"renormalise", false},
        {"query_key_norm", "full_width"},
        {"bias", true},
        {"rotary_features", 4},
        {"window", 6},
        {"sliding", {true, false, true}},
        {"mixture", {true, true, true}},
        {"shared_experts", 0},
        {"tie_word_embeddings", true}}},
  };
}

class ForwardScheme : public testing::TestWithParam<Choice> {};

TEST_P(ForwardScheme, IsThatOfTheReference) {
  Json config = scheme_config();
  config.update(GetParam().edit);
  const TemporaryDirectory directory;
  build_family_checkpoint(config, scheme_families()).write(directory.path());
  const Checkpoint checkpoint = Checkpoint::open(directory.path(), scheme_families());
  const ModelWeights model(checkpoint);
  Corpus corpus;
  for (std::uint32_t t = 0; t < 24; ++t) corpus.token_id.push_back((t * t * 7 + t * 13 + 5) % 40);
  corpus.sequence_start = {0, corpus.token_id.size()};

  SchemePass pass;
  ThreadPool pool(2);
  ForwardOptions options;
  options.precision = Precision::f32;
  options.memory = 1ull << 30;
  run_forward(checkpoint, model, corpus, options, pool, pass);

  const ReferencePass expected = reference_forward(checkpoint, model, corpus.token_id);
  for (std::size_t layer = 0; layer < expected.hidden.size(); ++layer)
    expect_near(pass.hidden[layer], expected.hidden[layer], "hidden state of layer " + std::to_string(layer));
  EXPECT_EQ(pass.experts, expected.experts);
  for (const auto& [layer, scores] : expected.scores) expect_near(pass.scores[layer], scores, "scores");
  for (const auto& [layer, weights] : expected.expert_weights)
    expect_near(pass.weights[layer], weights, "weights");
  expect_near(pass.nll, expected.nll, "losses");
}

INSTANTIATE_TEST_SUITE_P(, ForwardScheme, testing::ValuesIn(choices()),
                         [](const auto& choice) { return std::string(choice.param.name); });

// So that a case that changes nothing shows.
TEST(ForwardSchemes, EveryChoiceButAnUnusedWindowChangesTheLosses) {
  std::map<std::vector<double>, std::string> seen;
  for (const Choice& choice : choices()) {
    Json config = scheme_config();
    config.update(choice.edit);
    const TemporaryDirectory directory;
    build_family_checkpoint(config, scheme_families()).write(directory.path());
    const Checkpoint checkpoint = Checkpoint::open(directory.path(), scheme_families());
    const std::vector<std::uint32_t> ids = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5};
    std::vector<double> nll = reference_forward(checkpoint, ModelWeights(checkpoint), ids).nll;
    nll.pop_back();
    const auto [known, is_new] = seen.emplace(nll, choice.name);
    EXPECT_TRUE(is_new || std::string(choice.name) == "AWindowThatNoLayerHas")
        << choice.name << " is the same as " << known->second;
  }
}

}  // namespace
}  // namespace moescope
