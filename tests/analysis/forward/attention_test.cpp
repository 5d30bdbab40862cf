#include "analysis/forward/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
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

}  // namespace
}  // namespace moescope
