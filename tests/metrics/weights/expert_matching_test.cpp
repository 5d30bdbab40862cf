#include "metrics/weights/expert_matching.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "tests/support/random_values.h"

namespace moescope {
namespace {

using Places = std::vector<std::size_t>;

Places identity(std::size_t size) {
  Places places(size);
  std::iota(places.begin(), places.end(), std::size_t{0});
  return places;
}

Places shuffled(std::size_t size, unsigned seed) {
  Places places = identity(size);
  std::shuffle(places.begin(), places.end(), std::mt19937(seed));
  return places;
}

bool has_moved(const ExpertMatching& matching) {
  return !matching.moved.empty();
}

/// Strangers like random rows of `width`; true pairs, e and places[e], alike by `likeness`.
std::vector<double> planted(const Places& places, double likeness, std::size_t width, unsigned seed) {
  const std::size_t experts = places.size();
  std::vector<double> similarity =
      normal_values<double>(experts * experts, seed, 1 / std::sqrt(static_cast<double>(width)));
  for (std::size_t e = 0; e < experts; ++e) similarity[e * experts + places[e]] += likeness;
  return similarity;
}

double total(const std::vector<double>& similarity, const Places& places) {
  double sum = 0;
  for (std::size_t e = 0; e < places.size(); ++e) sum += similarity[e * places.size() + places[e]];
  return sum;
}

double best_total_of_all(const std::vector<double>& similarity, std::size_t experts) {
  Places places = identity(experts);
  double best = -std::numeric_limits<double>::infinity();
  do best = std::max(best, total(similarity, places));
  while (std::next_permutation(places.begin(), places.end()));
  return best;
}

void expect_permutation(Places places) {
  std::sort(places.begin(), places.end());
  EXPECT_EQ(places, identity(places.size()));
}

TEST(BestAssignment, ReachesTheBestOfAllPermutations) {
  for (std::size_t experts = 1; experts <= 7; ++experts) {
    for (unsigned seed = 0; seed < 30; ++seed) {
      const std::vector<double> similarity = normal_values<double>(experts * experts, seed, 1);
      const Places found = best_assignment(similarity, experts);
      expect_permutation(found);
      EXPECT_NEAR(total(similarity, found), best_total_of_all(similarity, experts), 1e-12);
    }
  }
}

TEST(BestAssignment, ReachesTheBestOfAllPermutationsWithManyTies) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    std::vector<double> similarity = normal_values<double>(36, seed, 1);
    for (double& value : similarity) value = std::round(value);
    const Places found = best_assignment(similarity, 6);
    expect_permutation(found);
    EXPECT_EQ(total(similarity, found), best_total_of_all(similarity, 6));
  }
}

TEST(BestAssignment, IsNotGreedy) {
  // Taking 9 first leaves 0: 9 < 8 + 7.
  EXPECT_THAT(best_assignment(std::vector<double>{9, 8, 7, 0}, 2), testing::ElementsAre(1, 0));
}

TEST(BestAssignment, NoOtherPairOfPlacesIsBetterAmongManyExperts) {
  const std::size_t experts = 100;
  const std::vector<double> similarity = normal_values<double>(experts * experts, 7, 1);
  Places found = best_assignment(similarity, experts);
  expect_permutation(found);
  const double best = total(similarity, found);
  for (std::size_t i = 0; i < experts; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      std::swap(found[i], found[j]);
      EXPECT_LE(total(similarity, found), best + 1e-12);
      std::swap(found[i], found[j]);
    }
  }
}

TEST(BestAssignment, OfNoneAndOfOneExpertIsTrivial) {
  EXPECT_THAT(best_assignment({}, 0), testing::IsEmpty());
  EXPECT_THAT(best_assignment(std::vector<double>{-3}, 1), testing::ElementsAre(0));
}

TEST(BestAssignment, StaysInPlaceWhereAllAreAlike) {
  EXPECT_EQ(best_assignment(std::vector<double>(64, 0.3), 8), identity(8));
}

TEST(ExpertMatching, FindsPlantedPermutationsInNoise) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    const Places places = shuffled(128, seed);
    const ExpertMatching matching = find_permutation(planted(places, 0.7, 2048, seed), 128);
    EXPECT_EQ(matching.match, places);
    Places expected;
    for (std::size_t e = 0; e < 128; ++e) {
      if (places[e] != e) expected.push_back(e);
    }
    EXPECT_EQ(matching.moved, expected);
    EXPECT_NEAR(matching.matched_similarity, 0.7, 0.01);
    EXPECT_NEAR(matching.in_place_similarity, 0, 0.02);
  }
}

TEST(ExpertMatching, FindsManyExpertsTogetherThatAloneWouldBeUncertain) {
  const Places places = shuffled(16, 9);  // rows of 32 elements: one deviation of strangers is 0.18
  const ExpertMatching matching = find_permutation(planted(places, 0.9, 32, 9), 16);
  EXPECT_EQ(matching.match, places);
  EXPECT_GE(matching.moved.size(), 12u);
}

TEST(ExpertMatching, FindsASinglePairOfManyExchanged) {
  Places places = identity(512);
  std::swap(places[17], places[400]);
  const ExpertMatching matching = find_permutation(planted(places, 0.9, 1024, 1), 512);
  EXPECT_TRUE(has_moved(matching));
  EXPECT_THAT(matching.moved, testing::ElementsAre(17, 400));
}

TEST(ExpertMatching, ExpertsThatKeptTheirPlacesAreNotPermuted) {
  for (const double likeness : {1.0, 0.5, 0.1}) {
    EXPECT_FALSE(has_moved(find_permutation(planted(identity(128), likeness, 2048, 2), 128)));
  }
}

TEST(ExpertMatching, SimilaritiesWithoutMeaningTellNothing) {
  for (const std::size_t experts : {3ul, 7ul, 8ul, 16ul, 128ul}) {
    for (unsigned seed = 0; seed < 20; ++seed) {
      const ExpertMatching matching =
          find_permutation(normal_values<double>(experts * experts, seed, 0.1), experts);
      EXPECT_FALSE(has_moved(matching));
      if (experts < 128) continue;
      EXPECT_NE(matching.match, identity(experts));  // chance is better than the identity somewhere
      EXPECT_GT(matching.matched_similarity, matching.in_place_similarity + 0.1);
    }
  }
}

TEST(ExpertMatching, ExpertsThatBeganAnewHaveNotMoved) {
  std::vector<double> similarity = planted(identity(64), 0.9, 1024, 3);
  for (const std::size_t e : {5u, 6u, 40u}) similarity[e * 64 + e] -= 0.9;
  EXPECT_FALSE(has_moved(find_permutation(similarity, 64)));
}

TEST(ExpertMatching, TwinsInPlaceAreNotPermuted) {
  std::vector<double> similarity = planted(identity(64), 0.9, 1024, 4);
  similarity[3 * 64 + 3] = similarity[4 * 64 + 4] = 0.93;
  similarity[3 * 64 + 4] = similarity[4 * 64 + 3] = 0.94;
  const ExpertMatching matching = find_permutation(similarity, 64);
  EXPECT_EQ(matching.match[3], 4u);
  EXPECT_FALSE(has_moved(matching));
}

TEST(ExpertMatching, ExpertsMadeFromOneAreToldApartByTheirSmallDifferences) {
  const Places places = shuffled(32, 5);
  std::vector<double> similarity = planted(places, 0.01, 1000000, 5);  // strangers differ by 0.001
  for (double& value : similarity) value += 0.98;
  EXPECT_EQ(find_permutation(similarity, 32).match, places);
  EXPECT_TRUE(has_moved(find_permutation(similarity, 32)));
}

TEST(ExpertMatching, EqualSimilaritiesTellNothing) {
  for (const double value : {0.0, 0.1, 1.0}) {
    const ExpertMatching matching = find_permutation(std::vector<double>(100, value), 10);
    EXPECT_EQ(matching.match, identity(10));
    EXPECT_FALSE(has_moved(matching));
  }
}

TEST(ExpertMatching, FewExpertsNeedSimilarityAboveOneHalf) {
  EXPECT_THAT(find_permutation(std::vector<double>{0.1, 0.9, 0.8, 0}, 2).moved, testing::ElementsAre(0, 1));
  EXPECT_FALSE(has_moved(find_permutation(std::vector<double>{0.1, 0.4, 0.4, 0}, 2)));
  EXPECT_FALSE(has_moved(find_permutation(std::vector<double>{0.1}, 1)));
}

TEST(ExpertMatching, OfNoExpertsIsEmpty) {
  const ExpertMatching matching = find_permutation({}, 0);
  EXPECT_THAT(matching.match, testing::IsEmpty());
  EXPECT_FALSE(has_moved(matching));
  EXPECT_THAT(matching.matched_similarity, testing::IsNan());
}

TEST(ExpertMatching, AnExpertWithoutDirectionIsLikeNothing) {
  const Places places = shuffled(16, 8);
  std::vector<double> similarity = planted(places, 0.9, 4096, 8);
  for (std::size_t j = 0; j < 16; ++j) similarity[2 * 16 + j] = std::nan("");
  const ExpertMatching matching = find_permutation(similarity, 16);
  EXPECT_EQ(matching.match, places);  // its place is the one that is left
  EXPECT_THAT(matching.moved, testing::Not(testing::Contains(2)));
  EXPECT_TRUE(has_moved(matching));
}

}  // namespace
}  // namespace moescope
