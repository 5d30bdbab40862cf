#include "metrics/weights/weight_drift.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "metrics/weights/trajectory_pca.h"
#include "metrics/weights/weight_path.h"
#include "tests/metrics/weights/weight_products.h"

namespace moescope {
namespace {

TEST(WeightDrift, MatchesAnExampleByHand) {
  const WeightInnerProducts products = products_of({{3, 4}, {3, 0}, {0, 0}});
  EXPECT_THAT(weight_norms(products), testing::ElementsAre(5, 3, 0));
  EXPECT_THAT(distances(products), testing::ElementsAre(0, 4, 5, 4, 0, 3, 5, 3, 0));
  const std::vector<double> drift = relative_drift(products);
  EXPECT_DOUBLE_EQ(drift[1], 0.8);      // from 0 to 1
  EXPECT_DOUBLE_EQ(drift[3], 4.0 / 3);  // from 1 to 0: another norm
  EXPECT_DOUBLE_EQ(weight_cosine(products)[1], 0.6);
}

TEST(WeightDrift, OfIdenticalWeightsIsExactlyZero) {
  const Tensor tensor = random_walk(1, 100, 0, 1)[0];
  const WeightInnerProducts products = products_of({tensor, tensor, tensor});
  EXPECT_THAT(relative_drift(products), testing::Each(0.0));
  EXPECT_THAT(weight_cosine(products), testing::Each(1.0));
}

TEST(WeightDrift, OfWAndTwiceWIsOneWithCosineOne) {
  const Tensor tensor = random_walk(1, 100, 0, 2)[0];
  Tensor twice = tensor;
  for (double& value : twice) value *= 2;
  const WeightInnerProducts products = products_of({tensor, twice});
  EXPECT_DOUBLE_EQ(relative_drift(products)[1], 1);
  EXPECT_DOUBLE_EQ(relative_drift(products)[2], 0.5);
  EXPECT_DOUBLE_EQ(weight_cosine(products)[1], 1);
}

TEST(WeightDrift, OrthogonalAndOppositeWeightsHaveCosineZeroAndMinusOne) {
  const WeightInnerProducts products = products_of({{1, 0}, {0, 1}, {0, -1}});
  const std::vector<double> cosine = weight_cosine(products);
  EXPECT_EQ(cosine[1], 0);
  EXPECT_EQ(cosine[5], -1);
  EXPECT_DOUBLE_EQ(relative_drift(products)[1], std::sqrt(2.0));
}

TEST(WeightDrift, IsUnknownFromAZeroTensor) {
  const WeightInnerProducts products = products_of({{0, 0}, {1, 0}});
  const std::vector<double> drift = relative_drift(products), cosine = weight_cosine(products);
  EXPECT_THAT(drift[0], testing::IsNan());
  EXPECT_THAT(drift[1], testing::IsNan());
  EXPECT_EQ(drift[2], 1);  // towards zero: the whole norm is lost
  EXPECT_THAT(cosine[0], testing::IsNan());
  EXPECT_THAT(cosine[1], testing::IsNan());
  EXPECT_EQ(cosine[3], 1);
}

TEST(WeightDrift, NonFiniteWeightsAreSeen) {
  WeightInnerProducts products = products_of({{1, 0}, {2, 0}});
  products.inner_product[3] = std::nan("");
  products.delta_inner_product[0] = std::nan("");
  EXPECT_THAT(relative_drift(products)[1], testing::IsNan());
  EXPECT_THAT(weight_cosine(products)[1], testing::IsNan());
  EXPECT_THAT(weight_cosine(products)[3], testing::IsNan());
  EXPECT_EQ(weight_cosine(products)[0], 1);
}

TEST(WeightDrift, KeepsTinyStepsThatSubtractingNormsWouldLose) {
  const std::vector<Tensor> versions = random_walk(6, 1000, 1e-9, 3);
  const std::vector<double> drift = relative_drift(products_of(versions));
  for (std::size_t s = 0; s < 6; ++s) {
    for (std::size_t t = 0; t < 6; ++t) {
      const Tensor moved = difference(versions[t], versions[s]);
      const double expected = std::sqrt(inner(moved, moved) / inner(versions[s], versions[s]));
      EXPECT_NEAR(drift[s * 6 + t], expected, 1e-6 * expected);  // the walk itself is rounded at 1e-16 / 1e-9
    }
  }
}

TEST(WeightDrift, AgreesWithDirectDifferencesForAllPairs) {
  const std::vector<Tensor> versions = random_walk(13, 500, 0.1, 4);
  const std::vector<double> distance = distances(products_of(versions));
  for (std::size_t s = 0; s < 13; ++s) {
    for (std::size_t t = 0; t < 13; ++t) {
      const Tensor moved = difference(versions[t], versions[s]);
      EXPECT_NEAR(distance[s * 13 + t], std::sqrt(inner(moved, moved)), 1e-12);
    }
  }
}

TEST(WeightDrift, ReturningToTheStartIsExactlyZero) {
  const std::vector<Tensor> versions = random_walk(2, 100, 0.1, 5);
  EXPECT_EQ(distances(products_of({versions[0], versions[1], versions[0]}))[2], 0);
}

TEST(WeightDrift, SummedProductsAreThoseOfOneLongVector) {
  const std::vector<Tensor> a = random_walk(4, 30, 0.2, 6), b = random_walk(4, 50, 0.01, 7);
  std::vector<Tensor> joined = a;
  for (std::size_t i = 0; i < 4; ++i) joined[i].insert(joined[i].end(), b[i].begin(), b[i].end());
  WeightInnerProducts sum = WeightInnerProducts::zero(4);
  for (const auto& part : {products_of(a), products_of(b)})
    sum.add(part.inner_product, part.delta_inner_product);
  const WeightInnerProducts expected = products_of(joined);
  EXPECT_THAT(relative_drift(sum), testing::Pointwise(testing::DoubleNear(1e-13), relative_drift(expected)));
  EXPECT_THAT(weight_cosine(sum), testing::Pointwise(testing::DoubleNear(1e-14), weight_cosine(expected)));
}

TEST(WeightDrift, OneCheckpointHasNoDrift) {
  EXPECT_THAT(relative_drift(products_of({{3, 4}})), testing::ElementsAre(0));
}

/// As they come from a weight of which version 1 is not finite: its products and steps are unknown, the
/// distance of the versions around it is known.
WeightInnerProducts products_across(const std::vector<Tensor>& versions) {
  WeightInnerProducts products = products_of(versions);
  const std::vector<double> distance = distances(products);
  const std::size_t count = versions.size();
  for (std::size_t c = 0; c < count; ++c)
    products.inner_product[count + c] = products.inner_product[c * count + 1] = std::nan("");
  for (std::size_t i = 0; i + 1 < count; ++i) {
    for (const std::size_t broken : {std::size_t{0}, std::size_t{1}})
      products.delta_inner_product[broken * (count - 1) + i] =
          products.delta_inner_product[i * (count - 1) + broken] = std::nan("");
  }
  for (const double d : distance) products.squared_distance.push_back(d * d);
  for (std::size_t c = 0; c < count; ++c)
    products.squared_distance[count + c] = products.squared_distance[c * count + 1] = std::nan("");
  return products;
}

TEST(WeightDrift, ANonFiniteVersionLeavesTheDriftBetweenItsNeighbours) {
  const std::vector<Tensor> versions = random_walk(4, 50, 0.1, 8);
  const std::vector<double> found = relative_drift(products_across(versions)),
                            expected = relative_drift(products_of(versions));
  for (std::size_t s = 0; s < 4; ++s) {
    for (std::size_t t = 0; t < 4; ++t) {
      if (s == 1 || t == 1) {
        EXPECT_THAT(found[s * 4 + t], testing::IsNan());
      } else {
        EXPECT_NEAR(found[s * 4 + t], expected[s * 4 + t], 1e-14);
      }
    }
  }
}

TEST(WeightDrift, OfWeightsTogetherIsKnownAcrossAVersionThatIsNotFiniteInSomeOfThem) {
  const std::vector<Tensor> a = random_walk(4, 30, 0.2, 9), b = random_walk(4, 50, 0.01, 10);
  std::vector<Tensor> joined = a;
  for (std::size_t i = 0; i < 4; ++i) joined[i].insert(joined[i].end(), b[i].begin(), b[i].end());
  WeightInnerProducts sum = WeightInnerProducts::zero(4);
  sum.add(products_across(a));
  sum.add(products_of(b));
  const std::vector<double> found = relative_drift(sum), expected = relative_drift(products_of(joined));
  EXPECT_NEAR(found[2], expected[2], 1e-13);
  EXPECT_NEAR(found[3 * 4 + 0], expected[3 * 4 + 0], 1e-13);
  EXPECT_NEAR(found[2 * 4 + 3], expected[2 * 4 + 3], 1e-13);
  EXPECT_THAT(found[1], testing::IsNan());
  EXPECT_THAT(weight_norms(sum)[1], testing::IsNan());
}

TEST(WeightPath, PassesByAVersionThatIsNotFinite) {
  const WeightInnerProducts products = products_across({{0, 0}, {9, 9}, {3, 4}, {3, 16}});
  const std::vector<double> length = path_length(products), straight = displacement(products);
  EXPECT_THAT(length[1], testing::IsNan());
  EXPECT_DOUBLE_EQ(length[2], 5);
  EXPECT_DOUBLE_EQ(length[3], 17);
  EXPECT_THAT(straight[1], testing::IsNan());
  EXPECT_DOUBLE_EQ(straight[3], std::sqrt(9.0 + 256));
  EXPECT_DOUBLE_EQ(tortuosity(products)[3], 17 / std::sqrt(9.0 + 256));
}

TEST(TrajectoryPca, LeavesOutAVersionThatIsNotFinite) {
  const std::vector<Tensor> versions = random_walk(5, 40, 0.1, 11);
  const TrajectoryPca found = trajectory_pca(products_across(versions)),
                      expected =
                          trajectory_pca(products_of({versions[0], versions[2], versions[3], versions[4]}));
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_NEAR(found.eigenvalues[k], expected.eigenvalues[k], 1e-12 * expected.eigenvalues[0]);
    EXPECT_NEAR(found.shares[k], expected.shares[k], 1e-12);
    for (const std::size_t c : {0, 2, 3, 4})
      EXPECT_NEAR(found.coordinates[c * 4 + k], expected.coordinates[(c == 0 ? 0 : c - 1) * 3 + k], 1e-10);
    EXPECT_THAT(found.coordinates[1 * 4 + k], testing::IsNan());
  }
  EXPECT_THAT(found.eigenvalues[3], testing::IsNan());
}

}  // namespace
}  // namespace moescope
