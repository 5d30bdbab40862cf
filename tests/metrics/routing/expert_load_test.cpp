#include "metrics/routing/expert_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>

namespace moescope {
namespace {

using Counts = std::vector<std::int64_t>;

constexpr std::int64_t olmoe_tokens = 208896;

// OLMoE-1B-7B (arXiv 2409.02060), published expert counts, E = 64, K = 8, 208,896 tokens.
const Counts olmoe_arxiv_layer_7 = {
    17487, 4294,  115620, 2613,  153577, 21194, 6427,   18866, 3238,  4612,   21792, 10936, 25581,
    5333,  9983,  29562,  13808, 164064, 2212,  15381,  7676,  57303, 11920,  27179, 33632, 1360,
    42143, 30446, 2429,   23272, 45202,  17018, 22780,  25783, 14058, 107792, 51746, 8845,  40495,
    21149, 8173,  20135,  19434, 4753,   1306,  29295,  43153, 4098,  30389,  22889, 6769,  1551,
    26931, 1644,  7392,   4486,  22735,  11734, 103500, 22447, 7228,  17230,  3758,  11330};
const Counts olmoe_c4_layer_15 = {21567, 10721, 45568, 33681, 24993, 19514, 13654, 65258, 16187, 7740,  39707,
                                  13287, 11855, 41070, 21711, 38844, 12823, 17813, 11637, 9210,  27376, 56399,
                                  20065, 34506, 16668, 55641, 49360, 43711, 30799, 10879, 16855, 23390, 6522,
                                  4969,  13755, 15191, 20133, 9403,  34001, 33361, 23069, 23551, 34269, 17759,
                                  5961,  26921, 36127, 30020, 33805, 38881, 14660, 44053, 29930, 15615, 34983,
                                  38092, 42438, 14563, 24141, 27169, 24080, 33180, 30947, 27130};
// The same, first choices only (K = 1), arXiv, layer 7: two experts are never the first choice.
const Counts olmoe_arxiv_layer_7_top1 = {
    902,  55,    10209, 0,     38663, 471,  120,  845,  67,   13,   1812,  324,  3288, 136,  602, 2024,
    1299, 28867, 10,    1012,  814,   3973, 845,  2714, 4170, 1,    3844,  198,  0,    1744, 748, 359,
    2353, 1921,  1590,  16943, 9429,  206,  3362, 779,  184,  420,  2227,  5,    17,   1645, 869, 97,
    3752, 1926,  466,   2,     2530,  28,   64,   192,  2467, 1518, 36089, 3227, 250,  3867, 42,  300};
// Mixtral-8x7B in the same publication, Wikipedia, layer 15, E = 8, K = 2.
const Counts mixtral_wikipedia_layer_15 = {54575, 55396, 52142, 31960, 57664, 62114, 50943, 52998};
// dots.llm1 (arXiv 2506.05767), figure 5, DM Mathematics, layer 23, in units of 1/512 of the tokens: E = 128,
// K = 6.
const Counts dots1_mathematics_layer_23 = {
    17, 31, 25, 7,  9,  7,  501, 41, 15, 19, 13, 7,  11, 9,  9,  21, 7,  7,  15, 23, 5,  39, 11, 5,  11, 11,
    1,  21, 25, 25, 5,  5,  15,  21, 25, 27, 31, 19, 9,  21, 15, 5,  19, 23, 85, 5,  25, 11, 31, 49, 15, 17,
    3,  69, 33, 11, 9,  31, 7,   29, 13, 5,  9,  17, 23, 91, 35, 29, 7,  23, 41, 7,  39, 43, 9,  3,  15, 57,
    7,  25, 27, 15, 9,  13, 29,  31, 11, 15, 61, 9,  21, 1,  17, 27, 29, 11, 33, 33, 19, 5,  15, 17, 17, 31,
    7,  19, 19, 5,  19, 9,  7,   9,  7,  5,  27, 21, 19, 17, 35, 43, 13, 21, 63, 3,  31, 11, 7,  43};

/// Tokens routed uniformly at random to `top_k` different experts.
Counts random_counts(std::int64_t experts, std::int64_t top_k, std::int64_t tokens, unsigned seed) {
  std::mt19937 generator(seed);
  Counts counts(static_cast<std::size_t>(experts));
  std::vector<std::size_t> ids(counts.size());
  std::iota(ids.begin(), ids.end(), std::size_t{0});
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::size_t k = 0; k < static_cast<std::size_t>(top_k); ++k) {
      std::swap(ids[k], ids[k + generator() % (ids.size() - k)]);
      ++counts[ids[k]];
    }
  }
  return counts;
}

long double naive_entropy(const Counts& counts) {
  const long double total =
      static_cast<long double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  long double entropy = 0;
  for (const std::int64_t n : counts) {
    const long double p = static_cast<long double>(n) / total;
    if (n > 0) entropy -= p * std::log(p);
  }
  return entropy;
}

long double naive_cv(const Counts& counts) {
  const auto experts = static_cast<long double>(counts.size());
  long double first = 0, second = 0;
  for (const std::int64_t n : counts) first += static_cast<long double>(n) / experts;
  for (const std::int64_t n : counts) second += std::pow(static_cast<long double>(n) - first, 2.0L) / experts;
  return std::sqrt(second) / first;
}

/// By its definition: mean absolute difference of all pairs over twice the mean.
long double naive_gini(const Counts& counts) {
  long double differences = 0, total = 0;
  for (const std::int64_t a : counts) {
    total += static_cast<long double>(a);
    for (const std::int64_t b : counts) differences += std::abs(static_cast<long double>(a - b));
  }
  return differences / (2 * static_cast<long double>(counts.size()) * total);
}

TEST(ExpertLoad, CountsOfDomainsAddUpExpertByExpert) {
  const std::vector<std::int64_t> counts = {1, 2, 3, 4, 10, 20, 30, 40};  // 2 domains, 2 layers, 2 experts
  EXPECT_THAT(sum_over_domains(counts, 2), testing::ElementsAre(11, 22, 33, 44));
}

TEST(ExpertLoad, MatchesPublishedOlmoeCountsOfArxivLayer7) {
  EXPECT_NEAR(max_violation(olmoe_arxiv_layer_7), 5.283, 5e-4);
  EXPECT_NEAR(load_cv(olmoe_arxiv_layer_7), 1.277, 5e-4);
  EXPECT_NEAR(load_gini(olmoe_arxiv_layer_7), 0.552, 5e-4);
  EXPECT_NEAR(load_entropy(olmoe_arxiv_layer_7), 0.8661, 5e-5);
  EXPECT_EQ(dead_experts(olmoe_arxiv_layer_7), 0);
  EXPECT_THAT(cold_expert_ids(olmoe_arxiv_layer_7), testing::ElementsAre(18, 25, 28, 44, 51, 53));
}

TEST(ExpertLoad, MatchesPublishedOlmoeCountsOfC4Layer15) {
  EXPECT_NEAR(max_violation(olmoe_c4_layer_15), 1.499, 5e-4);
  EXPECT_NEAR(load_cv(olmoe_c4_layer_15), 0.512, 5e-4);
  EXPECT_NEAR(load_gini(olmoe_c4_layer_15), 0.288, 5e-4);
  EXPECT_NEAR(load_entropy(olmoe_c4_layer_15), 0.9683, 5e-5);
}

// Expected values computed from the same counts with exact integers and Python floats.
TEST(ExpertLoad, MatchesPublishedOlmoeFirstChoices) {
  EXPECT_NEAR(max_violation(olmoe_arxiv_layer_7_top1), 10.845281862745098, 1e-12);
  EXPECT_EQ(min_violation(olmoe_arxiv_layer_7_top1), 1);
  EXPECT_NEAR(mean_violation(olmoe_arxiv_layer_7_top1), 1.1874234068627454, 1e-12);
  EXPECT_THAT(dead_expert_ids(olmoe_arxiv_layer_7_top1), testing::ElementsAre(3, 28));
  EXPECT_EQ(dead_experts(olmoe_arxiv_layer_7_top1), 2);
  EXPECT_EQ(cold_experts(olmoe_arxiv_layer_7_top1), 23);
  EXPECT_THAT(hot_expert_ids(olmoe_arxiv_layer_7_top1), testing::ElementsAre(4, 58));
}

TEST(ExpertLoad, MatchesPublishedMixtralCounts) {
  EXPECT_NEAR(max_violation(mixtral_wikipedia_layer_15), 0.18937653186274517, 1e-12);
  EXPECT_NEAR(min_violation(mixtral_wikipedia_layer_15), 0.38802083333333337, 1e-12);
  EXPECT_NEAR(load_cv(mixtral_wikipedia_layer_15), 0.1596143228411337, 1e-12);
  EXPECT_NEAR(load_gini(mixtral_wikipedia_layer_15), 0.0765997194776348, 1e-12);
  EXPECT_NEAR(effective_experts(mixtral_wikipedia_layer_15), 7.887925358240407, 1e-12);
}

TEST(ExpertLoad, MatchesFigure5OfDots1) {
  const std::vector<double> load = expert_load(dots1_mathematics_layer_23, 512);
  EXPECT_NEAR(load[6], 0.979, 1.0 / 512);  // the peak named in the figure
  EXPECT_NEAR(max_violation(dots1_mathematics_layer_23), 19.875, 1e-12);
  EXPECT_NEAR(load_cv(dots1_mathematics_layer_23), 1.8815568225246053, 1e-12);
  EXPECT_NEAR(load_entropy(dots1_mathematics_layer_23), 0.882470256821246, 1e-12);
  EXPECT_THAT(hot_expert_ids(dots1_mathematics_layer_23), testing::ElementsAre(6));
}

TEST(ExpertLoad, LoadsSumToK) {
  EXPECT_NEAR(std::accumulate(olmoe_arxiv_layer_7.begin(), olmoe_arxiv_layer_7.end(), 0.0) / olmoe_tokens, 8,
              0);
  const std::vector<double> load = expert_load(olmoe_arxiv_layer_7, olmoe_tokens);
  EXPECT_NEAR(std::accumulate(load.begin(), load.end(), 0.0), 8, 1e-13);
  const std::vector<double> relative = relative_load(olmoe_arxiv_layer_7);
  EXPECT_NEAR(std::accumulate(relative.begin(), relative.end(), 0.0), 64, 1e-12);
  EXPECT_NEAR(relative[4], load[4] * 64 / 8, 1e-14);
}

TEST(ExpertLoad, UniformCountsArePerfectlyBalanced) {
  const Counts uniform(128, 1000);
  EXPECT_EQ(max_violation(uniform), 0);
  EXPECT_EQ(min_violation(uniform), 0);
  EXPECT_EQ(mean_violation(uniform), 0);
  EXPECT_EQ(load_cv(uniform), 0);
  EXPECT_EQ(load_gini(uniform), 0);
  EXPECT_NEAR(load_entropy(uniform), 1, 1e-15);
  EXPECT_NEAR(effective_experts(uniform), 128, 1e-12);
  EXPECT_THAT(expert_load(uniform, 128000 / 6), testing::Each(testing::DoubleNear(6.0 / 128, 1e-5)));
  EXPECT_THAT(relative_load(uniform), testing::Each(1.0));
}

TEST(ExpertLoad, TheSameExpertsForEveryTokenReachTheBounds) {
  Counts collapsed(128, 0);
  std::fill_n(collapsed.begin(), 6, 4096);
  EXPECT_NEAR(max_violation(collapsed), max_violation_bound(128, 6), 1e-13);
  EXPECT_NEAR(load_cv(collapsed), load_cv_bound(128, 6), 1e-14);
  EXPECT_NEAR(load_gini(collapsed), load_gini_bound(128, 6), 1e-14);
  EXPECT_NEAR(load_entropy(collapsed), load_entropy_bound(128, 6), 1e-15);
  EXPECT_NEAR(effective_experts(collapsed), 6, 1e-13);
  EXPECT_EQ(dead_experts(collapsed), 122);
}

TEST(ExpertLoad, RandomRoutingStaysWithinTheBounds) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Counts counts = random_counts(32, 3, 1 + seed * 7, seed);
    EXPECT_LE(max_violation(counts), max_violation_bound(32, 3));
    EXPECT_LE(load_cv(counts), load_cv_bound(32, 3) + 1e-12);
    EXPECT_LE(load_gini(counts), load_gini_bound(32, 3) + 1e-12);
    EXPECT_GE(load_entropy(counts), load_entropy_bound(32, 3) - 1e-12);
    EXPECT_LE(load_entropy(counts), 1 + 1e-12);
    EXPECT_GE(min_violation(counts), 0);
    EXPECT_LE(min_violation(counts), 1);
  }
}

/// Calls `visit` with every way to give `choices` to experts, at most `tokens` each, in descending order:
/// every such way is one in which tokens can choose different experts (Gale and Ryser 1957).
void for_each_load(Counts& counts, std::size_t place, std::int64_t choices, std::int64_t most,
                   const std::function<void(const Counts&)>& visit) {
  if (place == counts.size()) {
    if (choices == 0) visit(counts);
    return;
  }
  const auto left = static_cast<std::int64_t>(counts.size() - place);
  for (std::int64_t n = std::min(most, choices); n * left >= choices && n >= 0; --n) {
    counts[place] = n;
    for_each_load(counts, place + 1, choices - n, n, visit);
  }
}

struct Range {
  double least = std::numeric_limits<double>::infinity(), most = -least;
};

/// Of a metric, over all loads of 1 to `tokens` tokens.
Range range_of(double (*metric)(std::span<const std::int64_t>), std::int64_t experts, std::int64_t top_k,
               std::int64_t tokens) {
  Range range;
  for (std::int64_t t = 1; t <= tokens; ++t) {
    Counts counts(static_cast<std::size_t>(experts));
    for_each_load(counts, 0, top_k * t, t, [&](const Counts& n) {
      range = {std::min(range.least, metric(n)), std::max(range.most, metric(n))};
    });
  }
  return range;
}

TEST(ExpertLoad, BoundsAreTheExtremesOfAllLoads) {
  using Bound = double (*)(std::int64_t, std::int64_t);
  const std::vector<std::pair<double (*)(std::span<const std::int64_t>), Bound>> bounded = {
      {max_violation, max_violation_bound},   {min_violation, min_violation_bound},
      {mean_violation, mean_violation_bound}, {load_cv, load_cv_bound},
      {load_gini, load_gini_bound},           {dead_experts, dead_experts_bound},
      {cold_experts, cold_experts_bound},     {hot_experts, hot_experts_bound}};
  for (std::int64_t experts = 1; experts <= 6; ++experts) {
    for (std::int64_t top_k = 1; top_k <= experts; ++top_k) {
      for (std::size_t i = 0; i < bounded.size(); ++i) {
        const Range range = range_of(bounded[i].first, experts, top_k, experts);
        EXPECT_NEAR(range.most, bounded[i].second(experts, top_k), 1e-14) << i;
        EXPECT_NEAR(range.least, 0, 1e-14) << i;
      }
      const Range effective = range_of(effective_experts, experts, top_k, experts);
      EXPECT_NEAR(effective.least, static_cast<double>(top_k), 1e-13);
      EXPECT_NEAR(effective.most, static_cast<double>(experts), 1e-13);
      if (experts == 1) continue;
      const Range entropy = range_of(load_entropy, experts, top_k, experts);
      EXPECT_NEAR(entropy.least, load_entropy_bound(experts, top_k), 1e-14);
      EXPECT_NEAR(entropy.most, 1, 1e-14);
    }
  }
}

// 20 experts of 21 that are hot would have taken more than all choices; with 10 K or more of E, none can be
// hot.
TEST(ExpertLoad, AsManyExpertsAreHotAsAnyLoadAllows) {
  for (const auto& [experts, top_k] : std::vector<std::pair<int, int>>{{10, 1},
                                                                       {11, 1},
                                                                       {12, 1},
                                                                       {20, 1},
                                                                       {21, 1},
                                                                       {20, 2},
                                                                       {21, 2},
                                                                       {22, 2},
                                                                       {31, 1},
                                                                       {31, 2},
                                                                       {31, 3}}) {
    EXPECT_EQ(range_of(hot_experts, experts, top_k, 6).most, hot_experts_bound(experts, top_k))
        << top_k << " of " << experts;
  }
  EXPECT_EQ(hot_experts_bound(128, 6), 12);
  EXPECT_EQ(hot_experts_bound(64, 8), 0);
}

/// The most experts below a tenth of the mean, over all numbers of tokens: as many as leave choices for T
/// each to the others.
double most_cold_experts(std::int64_t experts, std::int64_t top_k, std::int64_t tokens) {
  std::int64_t most = 0;
  for (std::int64_t t = 1; t <= tokens; ++t) {
    const std::int64_t largest_cold = (top_k * t - 1) / (10 * experts);  // 10 E n < K T
    for (std::int64_t cold = 0; cold <= experts; ++cold) {
      if (cold * largest_cold + (experts - cold) * t >= top_k * t) most = std::max(most, cold);
    }
  }
  return static_cast<double>(most);
}

TEST(ExpertLoad, AsManyExpertsAreColdAsAnyLoadAllows) {
  for (const std::int64_t experts : {2, 5, 11, 12, 24, 40}) {
    for (std::int64_t top_k = 1; top_k <= experts; ++top_k) {
      EXPECT_EQ(cold_experts_bound(experts, top_k), most_cold_experts(experts, top_k, 100 * experts))
          << top_k << " of " << experts;
    }
  }
  EXPECT_EQ(most_cold_experts(128, 11, 200), 118);
  EXPECT_EQ(cold_experts_bound(128, 6), 122);
  EXPECT_EQ(cold_experts_bound(128, 11), 118);  // more than E - K: 10 take nearly all
}

TEST(ExpertLoad, PermutingExpertsPermutesLoadsAndLeavesScalars) {
  Counts reversed(olmoe_arxiv_layer_7.rbegin(), olmoe_arxiv_layer_7.rend());
  std::vector<double> load = expert_load(reversed, olmoe_tokens);
  std::reverse(load.begin(), load.end());
  EXPECT_EQ(load, expert_load(olmoe_arxiv_layer_7, olmoe_tokens));
  EXPECT_EQ(max_violation(reversed), max_violation(olmoe_arxiv_layer_7));
  EXPECT_EQ(load_gini(reversed), load_gini(olmoe_arxiv_layer_7));
  EXPECT_NEAR(load_entropy(reversed), load_entropy(olmoe_arxiv_layer_7), 1e-15);
}

TEST(ExpertLoad, AgreesWithTheDefinitionsInExtendedPrecision) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    const Counts counts = random_counts(2 + seed, 1 + seed % 2, 10 + 50 * seed, seed);
    EXPECT_NEAR(effective_experts(counts), static_cast<double>(std::exp(naive_entropy(counts))), 1e-11);
    EXPECT_NEAR(load_cv(counts), static_cast<double>(naive_cv(counts)), 1e-13);
    EXPECT_NEAR(load_gini(counts), static_cast<double>(naive_gini(counts)), 1e-13);
  }
}

TEST(ExpertLoad, HugeCountsLoseNothing) {
  Counts counts(128, std::int64_t{1} << 46);  // 2^53 in all: 1 more would be rounded in double
  counts[5] += 128;
  EXPECT_NEAR(max_violation(counts), 127.0 / (std::int64_t{1} << 46), 1e-15);
  EXPECT_GT(load_gini(counts), 0);
}

TEST(ExpertLoad, NothingIsKnownWithoutTokens) {
  const Counts none(16, 0);
  EXPECT_THAT(expert_load(none, 0), testing::Each(testing::IsNan()));
  EXPECT_THAT(relative_load(none), testing::Each(testing::IsNan()));
  for (const auto metric : {max_violation, min_violation, mean_violation, load_cv, load_gini, load_entropy,
                            effective_experts, dead_experts, cold_experts, hot_experts}) {
    EXPECT_THAT(metric(none), testing::IsNan());
  }
}

TEST(ExpertLoad, ASingleExpertHasNoEntropyScale) {
  EXPECT_THAT(load_entropy(Counts{10}), testing::IsNan());
  EXPECT_THAT(load_entropy_bound(1, 1), testing::IsNan());
  EXPECT_EQ(effective_experts(Counts{10}), 1);
}

}  // namespace
}  // namespace moescope
