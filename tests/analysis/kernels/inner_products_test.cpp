#include "analysis/kernels/inner_products.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace moescope {
namespace {

/// Every lane of pair p, (0, 0), (0, 1) … becomes p + 1.
void fill_lanes(InnerProductSum& sum) {
  const auto lanes = sum.lanes();
  for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = static_cast<double>(i / inner_product_lanes + 1);
}

TEST(InnerProductSum, IsTheSumOfLanesOfEveryPair) {
  InnerProductSum sum(3);
  fill_lanes(sum);
  sum.end_run();
  fill_lanes(sum);
  sum.end_run();
  EXPECT_THAT(sum.matrix(), testing::ElementsAre(16, 32, 48, 32, 64, 80, 48, 80, 96));
}

TEST(InnerProductSum, ARunThatHasNotEndedCounts) {
  InnerProductSum open(1), whole(1);
  fill_lanes(open);
  EXPECT_THAT(open.matrix(), testing::ElementsAre(8));
  whole.add(open);
  whole.add(open);
  EXPECT_THAT(whole.matrix(), testing::ElementsAre(16));
  open.clear();
  EXPECT_THAT(open.matrix(), testing::ElementsAre(0));
}

TEST(InnerProductSum, RunsAreAddedWithCompensation) {
  InnerProductSum sum(1);
  for (const double term : {1e16, 1.0, 1.0, -1e16}) {
    sum.lanes()[0] = term;
    sum.end_run();
  }
  EXPECT_THAT(sum.matrix(), testing::ElementsAre(2));
}

TEST(InnerProductSum, OneCheckpointHasNoDifferences) {
  InnerProductSum none(0);
  none.end_run();
  EXPECT_THAT(none.matrix(), testing::IsEmpty());
  EXPECT_TRUE(none.is_finite());
}

TEST(InnerProductSum, SquaresTellWhetherARowIsFinite) {
  for (const std::size_t pair : {0, 3, 5}) {  // (0, 0), (1, 1), (2, 2)
    InnerProductSum sum(3);
    fill_lanes(sum);
    EXPECT_TRUE(sum.is_finite());
    sum.lanes()[pair * inner_product_lanes + 7] = std::numeric_limits<double>::quiet_NaN();
    EXPECT_FALSE(sum.is_finite());
  }
}

}  // namespace
}  // namespace moescope
