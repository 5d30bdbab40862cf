#include "plots/findings/half_way.h"

#include <gtest/gtest.h>

#include <cmath>

namespace moescope {
namespace {

TEST(HalfWay, IsInterpolatedBetweenCheckpoints) {
  EXPECT_DOUBLE_EQ(half_way({0, 1, 2}, {0.2, 0.4, 0.8}, 0.2), 1.5);  // 0.6 lies half-way between 0.4 and 0.8
  EXPECT_TRUE(std::isnan(half_way({0, 1}, {0.9, 1}, 0.2)));          // was already there
  EXPECT_TRUE(std::isnan(half_way({0, 1}, {0.2, 0.3}, 0.2)));
  EXPECT_TRUE(std::isnan(half_way({0, 1, 2}, {0.2, NAN, 0.9}, 0.2)));  // somewhere in between
}

}  // namespace
}  // namespace moescope
