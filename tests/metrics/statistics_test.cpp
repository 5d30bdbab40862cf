#include "metrics/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace moescope {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST(CompensatedSum, KeepsWhatAPlainSumLoses) {
  CompensatedSum sum;
  for (const double term : {1.0, 1e100, 1.0, -1e100}) sum.add(term);
  EXPECT_EQ(sum.value(), 2);  // Neumaier's own example
}

TEST(CompensatedSum, InfinityAndNanAreNotLost) {
  EXPECT_EQ(sum(std::vector<double>{1, infinity, 1}), infinity);
  EXPECT_THAT(sum(std::vector<double>{1, infinity, -infinity}), testing::IsNan());
  EXPECT_THAT(sum(std::vector<double>{1, nan, 1}), testing::IsNan());
}

TEST(CompensatedSum, OfATenthIsExactlyRounded) {
  EXPECT_EQ(sum(std::vector<double>(10, 0.1)), 1);
}

TEST(Mean, OfNothingIsUnknown) {
  EXPECT_THAT(mean({}), testing::IsNan());
  EXPECT_EQ(mean(std::vector<double>{1, 2, 6}), 3);
}

// Expected values: numpy.quantile([15, 20, 35, 40, 50], [0, .05, .25, .4, .5, .95, 1]).
TEST(Quantiles, InterpolateAsNumpyDoes) {
  const std::vector<double> probabilities = {0, 0.05, 0.25, 0.4, 0.5, 0.95, 1};
  EXPECT_THAT(quantiles({35, 20, 50, 15, 40}, probabilities),
              testing::Pointwise(testing::DoubleEq(), {15.0, 16.0, 20.0, 29.0, 35.0, 48.0, 50.0}));
}

TEST(Quantiles, OfOneValueAreThatValue) {
  EXPECT_THAT(quantiles({7}, std::vector<double>{0, 0.3, 1}), testing::Each(7.0));
}

TEST(Quantiles, AreUnknownWhereAValueIs) {
  EXPECT_THAT(quantiles({}, std::vector<double>{0.5}), testing::ElementsAre(testing::IsNan()));
  EXPECT_THAT(quantiles({1, nan, 2}, std::vector<double>{0.5}), testing::ElementsAre(testing::IsNan()));
}

TEST(Quantiles, AnInfiniteNeighbourDoesNotSpread) {
  EXPECT_THAT(quantiles({1, 2, infinity}, std::vector<double>{0.5, 1}), testing::ElementsAre(2, infinity));
}

TEST(Median, OfAnEvenNumberIsBetweenTheTwoInTheMiddle) {
  EXPECT_EQ(median({4, 1, 2}), 2);
  EXPECT_EQ(median({10, 1, 3, 2}), 2.5);
}

}  // namespace
}  // namespace moescope
