#include "metrics/routing/load_chance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "metrics/routing/expert_load.h"

namespace moescope {
namespace {

using Counts = std::vector<std::int64_t>;
using Metric = double (*)(std::span<const std::int64_t>);
using Chance = double (*)(std::int64_t, std::int64_t, std::int64_t);

/// Calls `visit` with the counts of every way in which the tokens can choose, all of them equally likely.
void for_each_routing(std::size_t experts, int top_k, int tokens, Counts& counts,
                      const std::function<void(const Counts&)>& visit) {
  if (tokens == 0) return visit(counts);
  for (unsigned set = 0; set < 1u << experts; ++set) {
    if (__builtin_popcount(set) != top_k) continue;
    for (std::size_t e = 0; e < experts; ++e) counts[e] += set >> e & 1;
    for_each_routing(experts, top_k, tokens - 1, counts, visit);
    for (std::size_t e = 0; e < experts; ++e) counts[e] -= set >> e & 1;
  }
}

double mean_of_all_routings(std::size_t experts, int top_k, int tokens,
                            const std::function<double(const Counts&)>& value) {
  double sum = 0, routings = 0;
  Counts counts(experts);
  for_each_routing(experts, top_k, tokens, counts, [&](const Counts& n) {
    sum += value(n);
    ++routings;
  });
  return sum / routings;
}

struct Case {
  std::int64_t experts, top_k, tokens;
};
const std::vector<Case> small_cases = {{2, 1, 1}, {2, 1, 6}, {2, 2, 3}, {3, 1, 4}, {3, 2, 5}, {4, 1, 5},
                                       {4, 2, 5}, {4, 3, 5}, {5, 2, 4}, {6, 3, 3}, {6, 6, 2}, {12, 1, 3}};

TEST(LoadChance, MeansThatFollowFromCountsAndPairsAreThoseOfAllRoutings) {
  const std::vector<std::pair<Metric, Chance>> exact = {
      {mean_violation, mean_violation_chance}, {load_gini, load_gini_chance},
      {load_entropy, load_entropy_chance},     {dead_experts, dead_experts_chance},
      {cold_experts, cold_experts_chance},     {hot_experts, hot_experts_chance}};
  for (const auto& [experts, top_k, tokens] : small_cases) {
    for (std::size_t i = 0; i < exact.size(); ++i) {
      const double mean =
          mean_of_all_routings(static_cast<std::size_t>(experts), static_cast<int>(top_k),
                               static_cast<int>(tokens), [&](const Counts& n) { return exact[i].first(n); });
      EXPECT_NEAR(exact[i].second(experts, top_k, tokens), mean, 1e-12)
          << "metric " << i << " of " << top_k << " of " << experts << ", " << tokens << " tokens";
    }
  }
}

TEST(LoadChance, OfTheCoefficientOfVariationTheMeanSquareIsThatOfAllRoutings) {
  for (const auto& [experts, top_k, tokens] : small_cases) {
    const double square = mean_of_all_routings(static_cast<std::size_t>(experts), static_cast<int>(top_k),
                                               static_cast<int>(tokens),
                                               [](const Counts& n) { return load_cv(n) * load_cv(n); });
    EXPECT_NEAR(load_cv_chance(experts, top_k, tokens), std::sqrt(square), 1e-12);
  }
}

/// Tokens routed uniformly at random to `top_k` different experts.
Counts random_counts(const Case& sizes, std::mt19937& generator) {
  Counts counts(static_cast<std::size_t>(sizes.experts));
  std::vector<std::size_t> ids(counts.size());
  std::iota(ids.begin(), ids.end(), std::size_t{0});
  for (std::int64_t t = 0; t < sizes.tokens; ++t) {
    for (std::size_t k = 0; k < static_cast<std::size_t>(sizes.top_k); ++k) {
      std::swap(ids[k], ids[k + generator() % (ids.size() - k)]);
      ++counts[ids[k]];
    }
  }
  return counts;
}

TEST(LoadChance, ExtremesAreWithinWhatTheHeaderSaysOfSimulations) {
  const std::vector<Case> cases = {{4, 1, 5},     {4, 2, 20},    {6, 2, 40},   {8, 2, 10},  {8, 2, 100},
                                   {16, 4, 2},    {16, 4, 50},   {64, 8, 50},  {128, 6, 5}, {128, 6, 100},
                                   {128, 6, 347}, {256, 8, 100}, {384, 8, 20}, {32, 31, 40}};
  std::mt19937 generator(1);
  for (const Case& sizes : cases) {
    const int repetitions = sizes.experts < 64 ? 1500 : 200;
    double most = 0, least = 0, effective = 0;
    for (int i = 0; i < repetitions; ++i) {
      const Counts counts = random_counts(sizes, generator);
      most += max_violation(counts) / repetitions;
      least += min_violation(counts) / repetitions;
      effective += effective_experts(counts) / repetitions;
    }
    const auto [e, k, t] = sizes;
    const double tolerance = (e < 8 ? 0.07 : 0.04) + (e < 64 ? 0.01 : 0.02);  // the simulation's own error
    EXPECT_NEAR(max_violation_chance(e, k, t) / most, 1, tolerance) << k << " of " << e << ", " << t;
    EXPECT_NEAR(min_violation_chance(e, k, t) / least, 1, tolerance) << k << " of " << e << ", " << t;
    EXPECT_NEAR(effective_experts_chance(e, k, t) / effective, 1, e < 8 ? 0.04 : 0.015) << k << " of " << e;
  }
}

// The numbers by which few tokens look unbalanced: 6 of 128 experts.
TEST(LoadChance, RandomRoutingOfFewTokensLooksUneven) {
  EXPECT_NEAR(max_violation_chance(128, 6, 100), 1.3, 0.06);
  EXPECT_NEAR(max_violation_chance(128, 6, 347), 0.7, 0.03);
  EXPECT_NEAR(max_violation_chance(128, 6, 4096), 0.18, 0.01);
  EXPECT_LT(max_violation_chance(128, 6, 100'000'000), 0.002);
}

TEST(LoadChance, OneTokenUsesItsExpertsAndNoOther) {
  EXPECT_EQ(max_violation_chance(16, 4, 1), max_violation_bound(16, 4));
  EXPECT_EQ(min_violation_chance(16, 4, 1), 1);
  EXPECT_NEAR(mean_violation_chance(16, 4, 1), mean_violation_bound(16, 4), 1e-14);
  EXPECT_NEAR(load_gini_chance(16, 4, 1), load_gini_bound(16, 4), 1e-14);
  EXPECT_NEAR(load_entropy_chance(16, 4, 1), load_entropy_bound(16, 4), 1e-14);
  EXPECT_NEAR(effective_experts_chance(16, 4, 1), 4, 1e-13);
}

TEST(LoadChance, WhereEveryTokenTakesEveryExpertChanceIsPerfectBalance) {
  for (const std::int64_t tokens : {1, 7, 5000}) {
    for (const Chance chance :
         {max_violation_chance, min_violation_chance, mean_violation_chance, load_cv_chance, load_gini_chance,
          dead_experts_chance, cold_experts_chance, hot_experts_chance}) {
      EXPECT_NEAR(chance(8, 8, tokens), 0, 1e-12);
      EXPECT_NEAR(chance(1, 1, tokens), 0, 1e-12);
    }
    EXPECT_NEAR(load_entropy_chance(8, 8, tokens), 1, 1e-12);
    EXPECT_NEAR(effective_experts_chance(8, 8, tokens), 8, 1e-11);
    EXPECT_NEAR(effective_experts_chance(1, 1, tokens), 1, 1e-12);
    EXPECT_THAT(load_entropy_chance(1, 1, tokens), testing::IsNan());
  }
}

TEST(LoadChance, NothingIsKnownWithoutTokens) {
  for (const Chance chance : {max_violation_chance, min_violation_chance, mean_violation_chance,
                              load_cv_chance, load_gini_chance, load_entropy_chance, effective_experts_chance,
                              dead_experts_chance, cold_experts_chance, hot_experts_chance}) {
    EXPECT_THAT(chance(16, 4, 0), testing::IsNan());
  }
}

}  // namespace
}  // namespace moescope
