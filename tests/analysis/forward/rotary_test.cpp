#include "analysis/forward/rotary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

// Of 4 features the angles are p and p / 100 at base 10,000 (Su et al., arXiv 2104.09864, section 3.2.2).
TEST(RotaryTable, HoldsTheAnglesOfEveryPosition) {
  const RotaryTable table = make_rotary_table(3, {.base = 1e4, .features = 4});
  ASSERT_EQ(table.cosine.rows, 3u);
  ASSERT_EQ(table.cosine.columns, 2u);
  EXPECT_EQ(table.cosine.row(0)[1], 1);
  EXPECT_NEAR(table.cosine.row(2)[0], std::cos(2.0), 1e-7);
  EXPECT_NEAR(table.sine.row(2)[1], std::sin(0.02), 1e-7);
}

TEST(Rotate, TurnsEachFeatureWithItsPartnerInTheOtherHalf) {
  const RotaryTable table = make_rotary_table(2, {.base = 1e4, .features = 4});
  std::vector<float> x = {1, 0, 0, 1};
  rotate(x, table, 1);
  const auto c0 = static_cast<float>(std::cos(1.0)), s0 = static_cast<float>(std::sin(1.0));
  const auto c1 = static_cast<float>(std::cos(0.01)), s1 = static_cast<float>(std::sin(0.01));
  EXPECT_THAT(x, ElementsAre(FloatNear(c0, 1e-6f), FloatNear(-s1, 1e-6f), FloatNear(s0, 1e-6f),
                             FloatNear(c1, 1e-6f)));
}

TEST(Rotate, LeavesTheFeaturesAloneThatAreNotRotated) {
  const RotaryTable table = make_rotary_table(2, {.base = 1e4, .features = 2});
  std::vector<float> x = {1, 0, 5, 7};
  rotate(x, table, 1);
  EXPECT_THAT(x, ElementsAre(FloatNear(static_cast<float>(std::cos(1.0)), 1e-6f),
                             FloatNear(static_cast<float>(std::sin(1.0)), 1e-6f), 5.0f, 7.0f));
}

TEST(Rotate, TurnsNeighboursWhereFeaturesAreInterleaved) {
  const RotaryTable table = make_rotary_table(2, {.base = 1e4, .features = 4, .interleaved = true});
  std::vector<float> x = {1, 0, 1, 0};
  rotate(x, table, 1);
  EXPECT_THAT(x, ElementsAre(FloatNear(static_cast<float>(std::cos(1.0)), 1e-6f),
                             FloatNear(static_cast<float>(std::sin(1.0)), 1e-6f),
                             FloatNear(static_cast<float>(std::cos(0.01)), 1e-6f),
                             FloatNear(static_cast<float>(std::sin(0.01)), 1e-6f)));
}

TEST(Rotate, BeginsAtTheFirstFeatureThatIsRotated) {
  const RotaryTable table = make_rotary_table(2, {.base = 1e4, .features = 2, .first = 2, .amplitude = 2});
  std::vector<float> x = {5, 7, 1, 0};
  rotate(x, table, 1);
  EXPECT_THAT(x, ElementsAre(5.0f, 7.0f, FloatNear(2 * static_cast<float>(std::cos(1.0)), 1e-6f),
                             FloatNear(2 * static_cast<float>(std::sin(1.0)), 1e-6f)));
}

RotaryScheme stretched(RotaryScaling scaling) {
  return {.base = 1e4, .features = 64, .scaling = scaling};
}

TEST(RotaryFrequency, OfALinearStretchIsDividedByTheFactor) {
  const RotaryScheme scheme = stretched({.stretch = RotaryStretch::linear, .factor = 4});
  EXPECT_DOUBLE_EQ(rotary_frequency(scheme, 0), 0.25);
  EXPECT_DOUBLE_EQ(rotary_frequency(scheme, 16), 0.01 / 4);
}

// Turns over 8192 positions: 8192 f / 2 pi. Pair 16 (f = 0.01) turns 13 times and is kept, pair 28 (f
// = 3.2e-4) 0.41 times and is divided; pair 22 (f = 1.778e-3) turns 2.319 times: kept by (2.319 - 1) / 3.
TEST(RotaryFrequency, OfLlama3KeepsWhatTurnsOften) {
  const RotaryScheme scheme = stretched(
      {.stretch = RotaryStretch::llama3, .factor = 8, .original_positions = 8192, .low = 1, .high = 4});
  EXPECT_DOUBLE_EQ(rotary_frequency(scheme, 16), 0.01);
  const double slow = std::pow(1e4, -2.0 * 28 / 64), middle = std::pow(1e4, -2.0 * 22 / 64);
  EXPECT_DOUBLE_EQ(rotary_frequency(scheme, 28), slow / 8);
  const double kept = (8192 * middle / (2 * std::numbers::pi) - 1) / 3;
  EXPECT_NEAR(kept, 0.4395, 5e-4);
  EXPECT_NEAR(rotary_frequency(scheme, 22), kept * middle + (1 - kept) * middle / 8, 1e-12);
}

// 4096 positions: the pair that turns 32 times is 64 ln(4096 / (32 * 2 pi)) / (2 ln 10^4) = 10.47, that which
// turns once 22.51; as whole features 10 and 23. Between them the ramp is straight.
TEST(RotaryFrequency, OfYarnIsARampOverThePairs) {
  const RotaryScaling scaling{
      .stretch = RotaryStretch::yarn, .factor = 40, .original_positions = 4096, .low = 1, .high = 32};
  const RotaryScheme whole = stretched(scaling);
  const auto plain = [](std::size_t pair) { return std::pow(1e4, -2.0 * static_cast<double>(pair) / 64); };
  EXPECT_DOUBLE_EQ(rotary_frequency(whole, 10), plain(10));
  EXPECT_NEAR(rotary_frequency(whole, 23), plain(23) / 40, 1e-15);
  const double kept = 1 - 3.0 / 13;
  EXPECT_NEAR(rotary_frequency(whole, 13), plain(13) * (kept + (1 - kept) / 40), 1e-12);
  RotaryScaling ends = scaling;
  ends.whole_ends = false;
  const double kept_by_ends = 1 - (13 - 10.472241) / (22.513441 - 10.472241);
  EXPECT_NEAR(rotary_frequency(stretched(ends), 13), plain(13) * (kept_by_ends + (1 - kept_by_ends) / 40),
              1e-9);
}

}  // namespace
}  // namespace moescope
