#include "metrics/spectra/row_cosine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/random_values.h"

namespace moescope {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::IsNan;

TEST(RowNorms, AreTheLengthsOfTheRows) {
  const std::vector<float> values = {3, 4, 0, 0, 5, 12};
  EXPECT_THAT(row_norms({values, 3, 2}), ElementsAre(5, 0, 13));
}

TEST(RowCosines, MatchAnExampleByHand) {
  const std::vector<float> a = {3, 4, -2, 0}, b = {6, 8, 0, 1, 4, -3};
  EXPECT_THAT(row_cosines({a, 2, 2}, {b, 3, 2}),
              ElementsAre(DoubleNear(1, 1e-15), DoubleNear(0.8, 1e-15), DoubleNear(0, 1e-15),
                          DoubleNear(-0.6, 1e-15), DoubleNear(0, 1e-15), DoubleNear(-0.8, 1e-15)));
}

TEST(RowCosines, AreUnknownOfARowWithoutDirection) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> a = {0, 0, 1, infinity, 1, 0}, b = {2, 0};
  EXPECT_THAT(row_cosines({a, 3, 2}, {b, 1, 2}), ElementsAre(IsNan(), IsNan(), 1));
}

// Directions in 1,000 dimensions: deviation 1 / sqrt(1000) = 0.03, and never above 1 by rounding.
TEST(RowCosines, OfNoiseAreNearZeroAndOfARowWithItselfOne) {
  const std::vector<float> values = normal_values<float>(20 * 1000, 1);
  const WeightMatrix matrix{values, 20, 1000};
  const std::vector<double> cosines = row_cosines(matrix, matrix);
  for (std::size_t i = 0; i < 20; ++i) {
    for (std::size_t j = 0; j < 20; ++j) {
      EXPECT_NEAR(cosines[i * 20 + j], i == j, i == j ? 1e-14 : 0.2);
      EXPECT_LE(std::abs(cosines[i * 20 + j]), 1);
      EXPECT_EQ(cosines[i * 20 + j], cosines[j * 20 + i]);
    }
  }
}

}  // namespace
}  // namespace moescope
