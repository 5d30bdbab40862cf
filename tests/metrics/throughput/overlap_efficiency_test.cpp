#include "metrics/throughput/overlap_efficiency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace moescope {
namespace {

TEST(OverlapEfficiency, IsOneWhenTheFasterIsHidden) {
  EXPECT_DOUBLE_EQ(overlap_efficiency(3, 10, 10), 1);
  EXPECT_DOUBLE_EQ(overlap_efficiency(10, 3, 10), 1);
}

TEST(OverlapEfficiency, IsTheSlowerShareWhenNothingOverlaps) {
  EXPECT_DOUBLE_EQ(overlap_efficiency(5, 5, 10), 0.5);
  EXPECT_DOUBLE_EQ(overlap_efficiency(2, 8, 10), 0.8);
}

TEST(OverlapEfficiency, DoesNotExistWithoutTime) {
  EXPECT_THAT(overlap_efficiency(0, 0, 0), testing::IsNan());
}

}  // namespace
}  // namespace moescope
