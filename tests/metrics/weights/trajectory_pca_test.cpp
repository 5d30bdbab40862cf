#include "metrics/weights/trajectory_pca.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/metrics/weights/weight_products.h"

namespace moescope {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsNan;
using testing::Pointwise;

std::vector<double> along(const TrajectoryPca& pca, std::size_t component) {
  std::vector<double> values;
  for (std::size_t i = component; i < pca.coordinates.size(); i += pca.components)
    values.push_back(pca.coordinates[i]);
  return values;
}

double distance_of_rows(const TrajectoryPca& pca, std::size_t a, std::size_t b) {
  double square = 0;
  for (std::size_t k = 0; k < pca.components; ++k) {
    const double moved = along(pca, k)[a] - along(pca, k)[b];
    square += moved * moved;
  }
  return std::sqrt(square);
}

TEST(TrajectoryPca, OfAStraightLineIsOneComponent) {
  // 0, 5, 10 and 20 along (0.6, 0.8); the mean is 8.75.
  const TrajectoryPca pca = trajectory_pca(products_of({{1, 1}, {4, 5}, {7, 9}, {13, 17}}));
  EXPECT_THAT(pca.shares, ElementsAre(DoubleNear(1, 1e-15), 0, 0));
  EXPECT_THAT(along(pca, 0), Pointwise(DoubleNear(1e-12), {-8.75, -3.75, 1.25, 11.25}));
  EXPECT_THAT(along(pca, 1), Each(0.0));
}

TEST(TrajectoryPca, OfAClosedSquareFollowsFromItsCovariance) {
  // Around the mean (0.8, 0.8) of five points, both axes have 3 * 0.8² + 2 * 1.2² = 4.8, and 2 * 2 - 5 * 0.8²
  // = 0.8 in common: eigenvalues 4.8 ± 0.8.
  const TrajectoryPca pca = trajectory_pca(products_of({{0, 0}, {2, 0}, {2, 2}, {0, 2}, {0, 0}}));
  EXPECT_THAT(pca.eigenvalues, ElementsAre(DoubleNear(5.6, 1e-14), DoubleNear(4, 1e-14), 0, 0));
  EXPECT_THAT(pca.shares, ElementsAre(DoubleNear(5.6 / 9.6, 1e-15), DoubleNear(4 / 9.6, 1e-15), 0, 0));
}

TEST(TrajectoryPca, OfTheCornersOfASquareIsTwoEqualComponents) {
  const TrajectoryPca pca = trajectory_pca(products_of({{0, 0}, {2, 0}, {2, 2}, {0, 2}}));
  EXPECT_THAT(pca.eigenvalues, ElementsAre(DoubleNear(4, 1e-14), DoubleNear(4, 1e-14), 0));
  EXPECT_THAT(pca.shares, ElementsAre(DoubleNear(0.5, 1e-15), DoubleNear(0.5, 1e-15), 0));
}

TEST(TrajectoryPca, OfOrthogonalStepsHasTheEigenvaluesOfAPath) {
  // Equal orthogonal steps: 1 / (4 sin²(k pi / 2C)), from the Laplacian of a path of C points.
  const TrajectoryPca pca = trajectory_pca(products_of({{0, 0, 0}, {1, 0, 0}, {1, 1, 0}, {1, 1, 1}}));
  const double pi = std::acos(-1.0);
  for (int k = 1; k <= 3; ++k) {
    const double sine = std::sin(k * pi / 8);
    EXPECT_NEAR(pca.eigenvalues[static_cast<std::size_t>(k) - 1], 1 / (4 * sine * sine), 1e-14);
  }
}

TEST(TrajectoryPca, OfIdenticalCheckpointsHasNoVarianceToShare) {
  for (const Tensor& tensor : {Tensor{3, 4}, Tensor{0, 0}}) {
    const TrajectoryPca pca = trajectory_pca(products_of({tensor, tensor, tensor}));
    EXPECT_THAT(pca.eigenvalues, Each(0.0));
    EXPECT_THAT(pca.coordinates, Each(0.0));
    EXPECT_THAT(pca.shares, Each(IsNan()));
  }
}

TEST(TrajectoryPca, OfWAndTwiceWIsHalfTheNormOfWOnEitherSide) {
  const TrajectoryPca pca = trajectory_pca(products_of({{3, 4}, {6, 8}}));
  EXPECT_THAT(pca.coordinates, ElementsAre(DoubleNear(-2.5, 1e-15), DoubleNear(2.5, 1e-15)));
  EXPECT_THAT(pca.shares, ElementsAre(1));
}

TEST(TrajectoryPca, KeepsAllDistancesEvenOfTinySteps) {
  const std::vector<Tensor> walk = random_walk(6, 400, 1e-9, 12);
  const WeightInnerProducts products = products_of(walk);
  const TrajectoryPca pca = trajectory_pca(products);
  const std::vector<double> expected = distances(products);
  for (std::size_t a = 0; a < 6; ++a) {
    for (std::size_t b = 0; b < 6; ++b)
      EXPECT_NEAR(distance_of_rows(pca, a, b), expected[a * 6 + b], 1e-12 * expected[5]);
  }
  for (std::size_t k = 0; k < 5; ++k) {
    const std::vector<double> column = along(pca, k);
    EXPECT_NEAR(inner(column, column), pca.eigenvalues[k], 1e-12 * pca.eigenvalues[0]);
    EXPECT_NEAR(inner(column, Tensor(6, 1)), 0, 1e-12 * std::sqrt(pca.eigenvalues[0]));  // centred
  }
}

TEST(TrajectoryPca, TrainingGoesInThePositiveDirection) {
  for (const unsigned seed : {1u, 2u, 3u, 4u, 5u}) {
    const TrajectoryPca pca = trajectory_pca(products_of(random_walk(5, 50, 0.1, seed)));
    for (std::size_t k = 0; k < 4; ++k) EXPECT_GT(along(pca, k)[4], along(pca, k)[0]);
  }
}

TEST(TrajectoryPca, AWayThereAndBackBeginsOnThePositiveSide) {
  const TrajectoryPca pca = trajectory_pca(products_of({{0, 0}, {3, 0}, {0, 0}}));
  EXPECT_THAT(along(pca, 0), Pointwise(DoubleNear(1e-14), {1.0, -2.0, 1.0}));
}

TEST(TrajectoryPca, IsUnknownWhenAProductIs) {
  WeightInnerProducts products = products_of({{1, 0}, {2, 0}, {3, 0}});
  products.delta_inner_product[1] = products.delta_inner_product[2] = std::nan("");
  const TrajectoryPca pca = trajectory_pca(products);
  EXPECT_THAT(pca.eigenvalues, Each(IsNan()));
  EXPECT_THAT(pca.coordinates, Each(IsNan()));
  EXPECT_EQ(pca.coordinates.size(), 6u);
}

TEST(TrajectoryPca, OneCheckpointHasNoComponents) {
  const TrajectoryPca pca = trajectory_pca(products_of({{3, 4}}));
  EXPECT_EQ(pca.components, 0u);
  EXPECT_THAT(pca.coordinates, IsEmpty());
}

}  // namespace
}  // namespace moescope
