#include "metrics/weights/weight_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/metrics/weights/weight_products.h"

namespace moescope {
namespace {

using testing::DoubleEq;
using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;
using testing::IsNan;
using testing::Pointwise;

const std::vector<Tensor> line = {{1, 1}, {4, 5}, {7, 9}, {13, 17}};  // steps of 5, 5 and 10
const std::vector<Tensor> square = {{0, 0}, {2, 0}, {2, 2}, {0, 2}, {0, 0}};

TEST(WeightPath, OfAStraightLineIsItsDisplacement) {
  const WeightInnerProducts products = products_of(line);
  EXPECT_THAT(path_length(products), ElementsAre(0, 5, 10, 20));
  EXPECT_THAT(displacement(products), ElementsAre(0, 5, 10, 20));
  EXPECT_THAT(tortuosity(products), ElementsAre(IsNan(), 1, 1, 1));
  EXPECT_THAT(update_direction(products), Each(DoubleEq(1)));
}

TEST(WeightPath, OfAClosedSquareIsFourSidesAndLeadsNowhere) {
  const WeightInnerProducts products = products_of(square);
  EXPECT_THAT(path_length(products), ElementsAre(0, 2, 4, 6, 8));
  EXPECT_THAT(displacement(products), ElementsAre(0, 2, DoubleEq(std::sqrt(8.0)), 2, 0));
  EXPECT_THAT(tortuosity(products), ElementsAre(IsNan(), 1, DoubleEq(std::sqrt(2.0)), 3, IsNan()));
}

TEST(WeightPath, TurnsByRightAnglesAndBackInASquare) {
  EXPECT_THAT(update_direction(products_of(square)), ElementsAre(1, 0, -1, 0,  //
                                                                 0, 1, 0, -1,  //
                                                                 -1, 0, 1, 0,  //
                                                                 0, -1, 0, 1));
}

TEST(WeightPath, OrthogonalStepsGoAsFarAsTheRootOfTheirNumber) {
  const WeightInnerProducts products = products_of({{5, 5, 5}, {6, 5, 5}, {6, 6, 5}, {6, 6, 6}});
  for (std::size_t c = 1; c < 4; ++c)
    EXPECT_DOUBLE_EQ(tortuosity(products)[c], std::sqrt(static_cast<double>(c)));
}

TEST(WeightPath, OfIdenticalCheckpointsIsZeroAndWithoutDirection) {
  const WeightInnerProducts products = products_of({{3, 4}, {3, 4}, {3, 4}});
  EXPECT_THAT(path_length(products), Each(0.0));
  EXPECT_THAT(displacement(products), Each(0.0));
  EXPECT_THAT(tortuosity(products), Each(IsNan()));
  EXPECT_THAT(update_direction(products), Each(IsNan()));
}

TEST(WeightPath, OfZeroTensorsIsThatOfIdenticalOnes) {
  const WeightInnerProducts products = products_of({{0, 0}, {0, 0}});
  EXPECT_THAT(path_length(products), Each(0.0));
  EXPECT_THAT(tortuosity(products), Each(IsNan()));
  EXPECT_THAT(update_rms_per_token(products, 2, std::vector<double>{0, 1}), ElementsAre(0));
}

TEST(WeightPath, FromWToTwiceWIsTheNormOfW) {
  const WeightInnerProducts products = products_of({{3, 4}, {6, 8}});
  EXPECT_THAT(path_length(products), ElementsAre(0, 5));
  EXPECT_THAT(tortuosity(products), ElementsAre(IsNan(), 1));
}

TEST(WeightPath, MeasuresUpdatesPerElementAndToken) {
  // Steps of norm 5, 5 and 10 of two elements, over 10, 100 and 10 tokens.
  const std::vector<double> rate =
      update_rms_per_token(products_of(line), 2, std::vector<double>{0, 10, 110, 120});
  EXPECT_THAT(rate, Pointwise(DoubleEq(),
                              {5 / std::sqrt(2.0) / 10, 5 / std::sqrt(2.0) / 100, 10 / std::sqrt(2.0) / 10}));
}

TEST(WeightPath, UpdatesPerTokenAreUnknownWhereTheTokensAre) {
  const double unknown = std::nan("");
  const WeightInnerProducts products = products_of(line);
  EXPECT_THAT(update_rms_per_token(products, 2, std::vector<double>{0, unknown, 110, 110}), Each(IsNan()));
  EXPECT_THAT(update_rms_per_token(products, 2, std::vector<double>{30, 20, 10, 0}), Each(IsNan()));
  EXPECT_THAT(update_rms_per_token(products, 0, std::vector<double>{0, 1, 2, 3}), Each(IsNan()));
}

TEST(WeightPath, NonFiniteWeightsAreSeen) {
  WeightInnerProducts products = products_of({{1, 0}, {2, 0}, {3, 0}});
  products.delta_inner_product[3] = std::nan("");
  EXPECT_THAT(path_length(products), ElementsAre(0, 1, IsNan()));
  EXPECT_THAT(tortuosity(products), ElementsAre(IsNan(), 1, IsNan()));
  EXPECT_THAT(update_direction(products)[3], IsNan());
}

TEST(WeightPath, OfOneCheckpointHasNotBegun) {
  const WeightInnerProducts products = products_of({{3, 4}});
  EXPECT_THAT(path_length(products), ElementsAre(0));
  EXPECT_THAT(displacement(products), ElementsAre(0));
  EXPECT_THAT(tortuosity(products), ElementsAre(IsNan()));
  EXPECT_THAT(update_direction(products), testing::IsEmpty());
  EXPECT_THAT(update_rms_per_token(products, 2, std::vector<double>{1e12}), testing::IsEmpty());
}

TEST(WeightPath, OfARandomWalkIsThatOfItsVectors) {
  const std::vector<Tensor> walk = random_walk(7, 300, 1e-4, 11);
  const WeightInnerProducts products = products_of(walk);
  const std::vector<double> cosines = update_direction(products);
  double length = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    const Tensor step = difference(walk[i + 1], walk[i]), moved = difference(walk[i + 1], walk[0]);
    length += std::sqrt(inner(step, step));
    EXPECT_NEAR(path_length(products)[i + 1], length, 1e-12 * length);
    EXPECT_NEAR(tortuosity(products)[i + 1], length / std::sqrt(inner(moved, moved)), 1e-9);
    for (std::size_t j = 0; j < 6; ++j) {
      const Tensor other = difference(walk[j + 1], walk[j]);
      const double expected = inner(step, other) / std::sqrt(inner(step, step) * inner(other, other));
      EXPECT_THAT(cosines[i * 6 + j], DoubleNear(expected, 1e-12));
    }
  }
}

}  // namespace
}  // namespace moescope
