#include "metrics/routing/router_distribution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "tests/support/random_values.h"

namespace moescope {
namespace {

std::vector<double> softmax(const std::vector<float>& logits) {
  std::vector<double> distribution(logits.size());
  softmax_router_distribution(logits, distribution);
  return distribution;
}

std::vector<double> normalised(const std::vector<float>& scores) {
  std::vector<double> distribution(scores.size());
  sigmoid_router_distribution(scores, distribution);
  return distribution;
}

TEST(RouterDistribution, SigmoidScoresAreDividedByTheirSum) {
  EXPECT_THAT(normalised({0.5f, 0.25f, 0.25f, 1.0f}), testing::ElementsAre(0.25, 0.125, 0.125, 0.5));
}

TEST(RouterDistribution, SoftmaxAgreesWithExtendedPrecision) {
  const std::vector<float> logits = normal_values<float>(128, 1, 2);
  long double total = 0;
  for (const float z : logits) total += std::exp(static_cast<long double>(z));
  const std::vector<double> distribution = softmax(logits);
  for (std::size_t e = 0; e < logits.size(); ++e) {
    EXPECT_NEAR(distribution[e], static_cast<double>(std::exp(static_cast<long double>(logits[e])) / total),
                1e-16);
  }
}

TEST(RouterDistribution, SoftmaxSurvivesHugeLogits) {
  EXPECT_THAT(softmax({1e30f, 1e30f, -1e30f}), testing::ElementsAre(0.5, 0.5, 0));
}

TEST(RouterDistribution, WithoutAnyScoreItIsUnknown) {
  EXPECT_THAT(normalised({0, 0}), testing::Each(testing::IsNan()));
  EXPECT_THAT(router_entropy(normalised({0, 0})), testing::IsNan());
}

TEST(RouterEntropy, IsLargestForAFlatRouterAndZeroForASureOne) {
  EXPECT_NEAR(router_entropy(normalised(std::vector<float>(128, 0.5f))), std::log(128.0), 1e-13);
  EXPECT_EQ(router_entropy(normalised({0, 1, 0})), 0);
}

// H(.9) in nats, as in JS((.9,.1), (.1,.9)) = ln 2 - H(.9) = 0.368064.
TEST(RouterEntropy, MatchesAKnownDistribution) {
  EXPECT_NEAR(std::log(2.0) - router_entropy(std::vector<double>{0.9, 0.1}), 0.368064, 5e-7);
}

TEST(RouterEntropy, AgreesWithExtendedPrecision) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const std::vector<double> distribution = softmax(normal_values<float>(128, seed, 2));
    long double entropy = 0;
    for (const double p : distribution)
      entropy -= static_cast<long double>(p) * std::log(static_cast<long double>(p));
    EXPECT_NEAR(router_entropy(distribution), static_cast<double>(entropy), 1e-14);
  }
}

TEST(TopkMass, IsTheSumOverTheChosen) {
  const std::vector<double> distribution = {0.1, 0.2, 0.3, 0.4};
  EXPECT_NEAR(topk_mass(distribution, std::vector<std::uint16_t>{3, 1}), 0.6, 1e-15);
  EXPECT_NEAR(topk_mass(distribution, std::vector<std::uint16_t>{0, 1, 2, 3}), 1, 1e-15);
}

TEST(TopkMass, OfAFlatRouterIsKOverE) {
  const std::vector<double> flat(128, 1.0 / 128);
  EXPECT_NEAR(topk_mass(flat, std::vector<std::uint16_t>{5, 9, 100, 127, 0, 64}), 6.0 / 128, 1e-15);
}

TEST(Top1Share, LiesBetweenOneKthAndOne) {
  EXPECT_EQ(top1_share(std::vector<float>{0.25f, 0.25f, 0.25f, 0.25f}), 0.25);
  EXPECT_EQ(top1_share(std::vector<float>{0, 2.5f, 0}), 1);
  EXPECT_EQ(top1_share(std::vector<float>{1, 2, 1}), 0.5);
}

TEST(Top1Share, IsUnknownWhenNoExpertCounts) {
  EXPECT_THAT(top1_share(std::vector<float>{0, 0}), testing::IsNan());
}

TEST(TopkWeightEntropy, DoesNotDependOnTheScaleOfTheWeights) {
  const std::vector<float> weights = {1, 2, 4, 8};
  const std::vector<float> scaled = {2.5f, 5, 10, 20};
  EXPECT_NEAR(topk_weight_entropy(weights), topk_weight_entropy(scaled), 1e-15);
}

TEST(TopkWeightEntropy, IsOneForAnEvenMixtureAndZeroForOneExpert) {
  EXPECT_NEAR(topk_weight_entropy(std::vector<float>(6, 0.3f)), 1, 1e-15);
  EXPECT_EQ(topk_weight_entropy(std::vector<float>{0, 0, 1}), 0);
  EXPECT_THAT(topk_weight_entropy(std::vector<float>{1}), testing::IsNan());
}

TEST(BiasFlips, CountsChosenExpertsThatTheBiasBroughtIn) {
  const std::vector<std::uint16_t> chosen = {4, 9, 2, 7};
  EXPECT_EQ(bias_flips(chosen, std::vector<std::uint16_t>{7, 2, 9, 4}), 0);
  EXPECT_EQ(bias_flips(chosen, std::vector<std::uint16_t>{4, 9, 2, 6}), 1);
  EXPECT_EQ(bias_flips(chosen, std::vector<std::uint16_t>{0, 1, 3, 5}), 4);
}

TEST(BiasFlips, AreAtMostTheExpertsThatWereNotChosen) {
  for (std::uint16_t experts = 1; experts <= 8; ++experts) {
    for (std::uint16_t top_k = 1; top_k <= experts; ++top_k) {
      // The K first ones without the bias, the K last ones with it: no two choices differ in more.
      std::vector<std::uint16_t> first(top_k), last(top_k);
      for (std::uint16_t k = 0; k < top_k; ++k) {
        first[k] = k;
        last[k] = static_cast<std::uint16_t>(experts - 1 - k);
      }
      EXPECT_DOUBLE_EQ(bias_flip_rate_bound(experts, top_k) * top_k, bias_flips(last, first));
    }
  }
}

}  // namespace
}  // namespace moescope
