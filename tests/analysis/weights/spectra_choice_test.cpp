#include "analysis/weights/spectra_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "readers/files/source_file.h"
#include "tests/support/source_path.h"

namespace moescope {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

ModelConfig config_of(const char* model) {
  const std::string file = source_path("data/") + model + "/config.json";
  return parse_model_config(read_whole_file(file), file);
}

ModelWeights dots_llm1() {
  return {config_of("dots_llm1"), DType::bf16};
}

/// dots.llm1 with so many layers.
ModelWeights with_layers(std::int64_t layers) {
  ModelConfig config = config_of("dots_llm1");
  config.num_hidden_layers = layers;
  config.has_experts.resize(static_cast<std::size_t>(layers), true);
  return {config, DType::bf16};
}

/// The routed experts of a choice: their layers, experts and roles.
std::map<std::pair<std::int64_t, std::int64_t>, std::set<Role>> chosen_experts(const ModelWeights& model,
                                                                               SpectraChoice choice) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::set<Role>> experts;
  for (const std::size_t index : choose_spectra(model.all(), choice)) {
    const WeightKey& key = model.all()[index].key;
    if (key.expert >= 0) experts[{key.layer, key.expert}].insert(key.role);
  }
  return experts;
}

// 61 routers of 128 x 4096, and 8 experts of 1408 x 4096.
TEST(SpectraChoice, ASampleOfALargeModelHasAllRoutersAndEightExpertsOfDifferentLayers) {
  const ModelWeights model = dots_llm1();
  std::size_t routers = 0, others = 0;
  for (const std::size_t index : choose_spectra(model.all(), SpectraChoice::sample)) {
    const WeightKey& key = model.all()[index].key;
    (key.role == Role::router ? routers : others) += key.expert < 0 ? 1 : 0;
  }
  EXPECT_EQ(routers, 61u);
  EXPECT_EQ(others, 0u);
  const auto experts = chosen_experts(model, SpectraChoice::sample);
  ASSERT_THAT(experts, SizeIs(8));
  std::set<std::int64_t> eighths;
  for (const auto& [key, roles] : experts) {
    EXPECT_THAT(roles, SizeIs(3));
    eighths.insert((key.first - 1) * 8 / 61);
  }
  EXPECT_GE(eighths.size(), 7u);  // spread: their borders are not exactly those of the runs
}

TEST(SpectraChoice, FewerLayersGiveSeveralExpertsEach) {
  const ModelWeights model = with_layers(4);  // three of them with experts
  std::map<std::int64_t, int> by_layer;
  for (const auto& [key, roles] : chosen_experts(model, SpectraChoice::sample)) ++by_layer[key.first];
  EXPECT_THAT(by_layer, testing::ElementsAre(testing::Pair(1, 3), testing::Pair(2, 3), testing::Pair(3, 2)));
}

TEST(SpectraChoice, ASampleOfASmallModelHasEveryMatrixButEmbeddingAndHead) {
  const ModelWeights model(config_of("tiny-dots1/tiny-dots1-05T"), DType::bf16);
  const std::vector<std::size_t> sample = choose_spectra(model.all(), SpectraChoice::sample);
  const std::vector<std::size_t> all = choose_spectra(model.all(), SpectraChoice::all);
  EXPECT_EQ(sample.size() + 2, all.size());
  for (const std::size_t index : sample) {
    EXPECT_NE(model.all()[index].key.role, Role::embedding);
    EXPECT_NE(model.all()[index].key.role, Role::head);
  }
}

TEST(SpectraChoice, VectorsHaveNoSpectrum) {
  const ModelWeights model = dots_llm1();
  std::size_t vectors = 0;
  for (const Weight& weight : model.all()) vectors += weight.rows == 1 ? 1 : 0;
  EXPECT_EQ(choose_spectra(model.all(), SpectraChoice::all).size(), model.all().size() - vectors);
  EXPECT_THAT(choose_spectra(model.all(), SpectraChoice::none), SizeIs(0));
}

TEST(SpectraChoice, IsAlwaysTheSameAndAscending) {
  const ModelWeights bf16 = dots_llm1(), f32(config_of("dots_llm1"), DType::f32);
  const std::vector<std::size_t> sample = choose_spectra(bf16.all(), SpectraChoice::sample);
  EXPECT_EQ(sample, choose_spectra(f32.all(), SpectraChoice::sample));
  EXPECT_TRUE(std::ranges::is_sorted(sample));
  // As it was when run files with format version 1.0 were first written: a change is a new contract.
  std::string experts;
  for (const auto& [key, roles] : chosen_experts(bf16, SpectraChoice::sample))
    experts += std::to_string(key.first) + ":" + std::to_string(key.second) + " ";
  EXPECT_EQ(experts, "4:9 11:100 20:69 25:43 32:108 41:32 49:93 58:51 ");
}

TEST(SpectraChoice, IsToldInWords) {
  EXPECT_THAT(describe_spectra(dots_llm1().all(), SpectraChoice::sample),
              HasSubstr("sample: 85 of 24,231 tensors: every matrix whose short side is at most 256"));
  EXPECT_EQ(parse_spectra_choice("all"), SpectraChoice::all);
  EXPECT_FALSE(parse_spectra_choice("some"));
}

// [M, H] reads the residual stream along its rows, [H, M] adds to it along its columns.
TEST(ResidualSide, HasTheHiddenSizeForEveryMatrix) {
  const ModelWeights model = dots_llm1();
  for (const std::size_t index : choose_spectra(model.all(), SpectraChoice::all)) {
    const Weight& weight = model.all()[index];
    const bool right = residual_side(weight.key.role) == SingularSide::right;
    EXPECT_EQ(right ? weight.cols : weight.rows, 4096u) << weight.name;
    EXPECT_EQ(compared_directions(weight), 8u);
  }
}

}  // namespace
}  // namespace moescope
