#include "metrics/routing/router_saturation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>
#include <vector>

namespace moescope {
namespace {

using Choices = std::vector<std::uint16_t>;

Choices random_choices(std::size_t tokens, std::size_t experts, std::size_t top_k, unsigned seed) {
  std::mt19937 generator(seed);
  Choices choices;
  std::vector<std::uint16_t> ids(experts);
  std::iota(ids.begin(), ids.end(), std::uint16_t{0});
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t k = 0; k < top_k; ++k) {
      std::swap(ids[k], ids[k + generator() % (experts - k)]);
      choices.push_back(ids[k]);
    }
  }
  return choices;
}

TEST(RouterSaturation, OfACheckpointWithItselfIsOne) {
  const Choices choices = random_choices(100, 128, 6, 1);
  EXPECT_EQ(routing_agreement(choices, choices, 6), 1);
  EXPECT_EQ(top1_agreement(choices, choices, 6), 1);
  EXPECT_EQ(routing_jaccard(choices, choices, 6), 1);
}

TEST(RouterSaturation, MatchesAnExampleByHand) {
  const Choices a = {0, 1, 2, /**/ 3, 4, 5};
  const Choices b = {2, 0, 7, /**/ 3, 9, 8};  // 2 of 3 in common, then 1 of 3
  EXPECT_EQ(routing_agreement(a, b, 3), 0.5);
  EXPECT_EQ(top1_agreement(a, b, 3), 0.5);
  EXPECT_NEAR(routing_jaccard(a, b, 3), (2.0 / 4 + 1.0 / 5) / 2, 1e-15);
}

TEST(RouterSaturation, HistogramsOfPartsAddUp) {
  const Choices a = random_choices(30, 16, 4, 10), b = random_choices(30, 16, 4, 11);
  const auto first = overlap_histogram(std::span(a).first(40), std::span(b).first(40), 4);
  const auto rest = overlap_histogram(std::span(a).subspan(40), std::span(b).subspan(40), 4);
  std::vector<std::int64_t> sum(5);
  for (std::size_t m = 0; m < 5; ++m) sum[m] = first[m] + rest[m];
  EXPECT_EQ(sum, overlap_histogram(a, b, 4));
  EXPECT_EQ(std::accumulate(sum.begin(), sum.end(), std::int64_t{0}), 30);
}

TEST(RouterSaturation, AgreesWithSetsOfTheStandardLibrary) {
  const Choices a = random_choices(500, 16, 4, 2), b = random_choices(500, 16, 4, 3);
  double agreement = 0, jaccard = 0;
  for (std::size_t t = 0; t < 500; ++t) {
    std::set<std::uint16_t> both(&a[t * 4], &a[t * 4] + 4);
    const std::size_t before = both.size();
    both.insert(&b[t * 4], &b[t * 4] + 4);
    const auto common = static_cast<double>(before + 4 - both.size());
    agreement += common / 4;
    jaccard += common / static_cast<double>(both.size());
  }
  EXPECT_NEAR(routing_agreement(a, b, 4), agreement / 500, 1e-13);
  EXPECT_NEAR(routing_jaccard(a, b, 4), jaccard / 500, 1e-13);
}

TEST(RouterSaturation, IsSymmetricAndIgnoresTheOrderWithinAToken) {
  const Choices a = random_choices(50, 32, 4, 4), b = random_choices(50, 32, 4, 5);
  Choices sorted = a;
  for (std::size_t t = 0; t < 50; ++t) std::sort(&sorted[t * 4], &sorted[t * 4] + 4);
  EXPECT_EQ(routing_agreement(a, b, 4), routing_agreement(b, a, 4));
  EXPECT_EQ(routing_agreement(a, b, 4), routing_agreement(sorted, b, 4));
  EXPECT_EQ(routing_jaccard(a, b, 4), routing_jaccard(sorted, b, 4));
}

TEST(RouterSaturation, PermutingTheExpertsOfBothChangesNothing) {
  Choices a = random_choices(50, 16, 4, 6), b = random_choices(50, 16, 4, 7);
  const double before = routing_agreement(a, b, 4), first_before = top1_agreement(a, b, 4);
  for (Choices* choices : {&a, &b}) {
    for (std::uint16_t& expert : *choices) expert = static_cast<std::uint16_t>((expert * 5 + 3) % 16);
  }
  EXPECT_EQ(routing_agreement(a, b, 4), before);
  EXPECT_EQ(top1_agreement(a, b, 4), first_before);
}

TEST(RouterSaturation, RandomChoicesGiveTheChanceLevels) {
  const Choices a = random_choices(20000, 16, 4, 8), b = random_choices(20000, 16, 4, 9);
  EXPECT_NEAR(routing_agreement(a, b, 4), routing_agreement_chance(16, 4), 0.005);
  EXPECT_NEAR(top1_agreement(a, b, 4), top1_agreement_chance(16), 0.007);
  EXPECT_NEAR(routing_jaccard(a, b, 4), routing_jaccard_chance(16, 4), 0.005);
}

TEST(RouterSaturation, ChanceIsOneWhenAllExpertsAreChosen) {
  EXPECT_EQ(routing_agreement_chance(8, 8), 1);
  EXPECT_NEAR(routing_jaccard_chance(8, 8), 1, 1e-12);
  EXPECT_NEAR(routing_jaccard_chance(4, 1), 0.25, 1e-12);
}

TEST(RouterSaturation, TokensWithoutAChoiceLeaveAllOfThem) {
  const Choices a = {0, 1, 2, /**/ no_expert, no_expert, no_expert, /**/ 3, 4, 5, /**/ 6, 7, 8};
  const Choices b = {2, 0, 7, /**/ 1, 2, 3, /**/ 3, 9, 8, /**/ no_expert, no_expert, no_expert};
  EXPECT_EQ(routing_agreement(a, b, 3), 0.5);  // as without the second and the fourth
  EXPECT_EQ(top1_agreement(a, b, 3), 0.5);
  EXPECT_NEAR(routing_jaccard(a, b, 3), (2.0 / 4 + 1.0 / 5) / 2, 1e-15);
  const Choices none(6, no_expert);
  EXPECT_THAT(routing_agreement(none, none, 3), testing::IsNan());
  EXPECT_THAT(top1_agreement(none, none, 3), testing::IsNan());
  EXPECT_THAT(routing_jaccard(none, none, 3), testing::IsNan());
}

TEST(RouterSaturation, IsUnknownWithoutTokens) {
  EXPECT_THAT(routing_agreement({}, {}, 4), testing::IsNan());
  EXPECT_THAT(top1_agreement({}, {}, 4), testing::IsNan());
  EXPECT_THAT(routing_jaccard({}, {}, 4), testing::IsNan());
}

/// All sets of `top_k` of `experts`, ascending.
std::vector<Choices> all_choices(std::size_t experts, int top_k) {
  std::vector<Choices> all;
  for (unsigned set = 0; set < 1u << experts; ++set) {
    if (__builtin_popcount(set) != top_k) continue;
    Choices& choice = all.emplace_back();
    for (std::size_t e = 0; e < experts; ++e) {
      if (set >> e & 1) choice.push_back(static_cast<std::uint16_t>(e));
    }
  }
  return all;
}

TEST(RouterSaturation, ChanceIsTheMeanAndTheBoundTheLeastOfAllPairsOfChoices) {
  for (std::size_t experts = 1; experts <= 6; ++experts) {
    for (int k = 1; k <= static_cast<int>(experts); ++k) {
      const std::vector<Choices> all = all_choices(experts, k);
      const auto e = static_cast<std::int64_t>(experts);
      const auto top_k = static_cast<std::size_t>(k);
      double agreement = 0, jaccard = 0, least_agreement = 1, least_jaccard = 1;
      for (const Choices& a : all) {
        for (const Choices& b : all) {
          const auto pairs = static_cast<double>(all.size() * all.size());
          agreement += routing_agreement(a, b, top_k) / pairs;
          jaccard += routing_jaccard(a, b, top_k) / pairs;
          least_agreement = std::min(least_agreement, routing_agreement(a, b, top_k));
          least_jaccard = std::min(least_jaccard, routing_jaccard(a, b, top_k));
        }
      }
      EXPECT_NEAR(routing_agreement_chance(e, k), agreement, 1e-13);
      EXPECT_NEAR(routing_jaccard_chance(e, k), jaccard, 1e-13);
      EXPECT_NEAR(routing_agreement_bound(e, k), least_agreement, 1e-15) << k << " of " << e;
      EXPECT_NEAR(routing_jaccard_bound(e, k), least_jaccard, 1e-15) << k << " of " << e;
    }
  }
}

}  // namespace
}  // namespace moescope
