#include "analysis/weights/expert_sketches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "metrics/weights/weight_sketch.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/random_values.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

constexpr std::size_t sketched_experts = 8, matrices = 3, elements = 40 * sketch_size + 5;

/// Sketches of experts, (E, 3, sketch_size), whose matrices begin with numbers of their own, by seed.
std::vector<float> sketches_of_experts(const std::vector<unsigned>& seeds) {
  std::vector<float> sketches;
  for (const unsigned seed : seeds) {
    for (unsigned matrix = 0; matrix < matrices; ++matrix) {
      WeightSketch sketch;
      const std::vector<float> values = normal_values<float>(elements, 10 * seed + matrix);
      sketch.add(matrix, 0, std::span(values));
      const std::vector<float> numbers = sketch.values();
      sketches.insert(sketches.end(), numbers.begin(), numbers.end());
    }
  }
  return sketches;
}

// 1 / sqrt(3 * 1024) is 0.018, and five of them are the limit.
TEST(ExpertCosines, TellTheSameExpertsFromStrangers) {
  const std::vector<double> cosines =
      expert_cosines(sketches_of_experts({1, 2, 3, 4, 5, 6, 7, 8}),
                     sketches_of_experts({8, 1, 2, 3, 4, 5, 6, 7}), sketched_experts);
  ASSERT_EQ(cosines.size(), sketched_experts * sketched_experts);
  for (std::size_t before = 0; before < sketched_experts; ++before) {
    for (std::size_t after = 0; after < sketched_experts; ++after) {
      const double expected = after == (before + 1) % sketched_experts ? 1 : 0;
      EXPECT_NEAR(cosines[before * sketched_experts + after], expected, expected == 1 ? 1e-12 : 0.09);
    }
  }
}

TEST(ExpertCosines, AreTheMeanOverMatrices) {
  std::vector<float> before = sketches_of_experts({1, 2, 3, 4, 5, 6, 7, 8}), after = before;
  for (std::size_t i = 0; i < sketch_size; ++i) after[i] = -after[i];  // one of three points back
  EXPECT_NEAR(expert_cosines(before, after, sketched_experts)[0], 1.0 / 3, 1e-12);
}

TEST(ExpertCosines, OfAMatrixWithoutDirectionAreUnknown) {
  std::vector<float> sketches = sketches_of_experts({1, 2, 3, 4, 5, 6, 7, 8});
  std::fill_n(sketches.begin(), sketch_size, 0.0f);
  const std::vector<double> cosines = expert_cosines(sketches, sketches, sketched_experts);
  EXPECT_TRUE(std::isnan(cosines[0]));
  EXPECT_TRUE(std::isnan(cosines[sketched_experts]));
  EXPECT_NEAR(cosines[sketched_experts + 1], 1, 1e-12);
}

TEST(ExpertCosines, OfNoSketchesAreNone) {
  EXPECT_TRUE(expert_cosines({}, {}, sketched_experts).empty());
}

TEST(ExpertSketches, AreReadForTheExpertsOfOneLayerAndNothingElse) {
  const TemporaryDirectory directory;
  write_checkpoint(directory / "a");
  const Checkpoint checkpoint = Checkpoint::open(directory / "a");
  const ModelWeights weights(checkpoint);
  const auto all = weights.all();
  const SketchReader reader = [&](std::uint64_t c, std::uint64_t first, std::uint64_t count) {
    EXPECT_EQ(c, 1u);
    EXPECT_EQ(count, sketched_experts * matrices);
    for (std::uint64_t w = first; w < first + count; ++w) {
      EXPECT_EQ(all[w].key.layer, 2);
      EXPECT_EQ(all[w].key.expert, static_cast<std::int64_t>((w - first) / matrices));
    }
    return std::vector<float>(1);
  };
  EXPECT_EQ(ExpertSketches(weights, reader).of_layer(1, 2).size(), 1u);
  EXPECT_TRUE(ExpertSketches(weights, {}).of_layer(1, 2).empty());
}

}  // namespace
}  // namespace moescope
