#include "analysis/expert_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "metrics/row_cosine.h"
#include "tests/support/random_values.h"

namespace moescope {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsNan;
using testing::Not;

constexpr std::size_t experts = 16, hidden = 64;

/// Routers of 16 rows: `after` holds row i of `before` at place[i], and noise of relative size `change`.
std::vector<double> cosines_after(const std::vector<std::size_t>& place, float change) {
  const std::vector<float> before = normal_values<float>(experts * hidden, 1);
  std::vector<float> after = normal_values<float>(experts * hidden, 2, change);
  for (std::size_t e = 0; e < experts; ++e) {
    for (std::size_t i = 0; i < hidden; ++i) after[place[e] * hidden + i] += before[e * hidden + i];
  }
  return row_cosines({before, experts, hidden}, {after, experts, hidden});
}

std::vector<std::size_t> reversed() {
  std::vector<std::size_t> place(experts);
  for (std::size_t e = 0; e < experts; ++e) place[e] = experts - 1 - e;
  return place;
}

TEST(ExpertSimilarity, IsTheMeanOfWhatIsKnown) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> router = {1, 0.5, nan, nan}, weights = {0.5, nan, 0.25, nan};
  EXPECT_THAT(expert_similarity({router, weights}, 2), ElementsAre(0.75, 0.5, 0.25, IsNan()));
  EXPECT_THAT(expert_similarity({router, {}}, 2), ElementsAre(1, 0.5, IsNan(), IsNan()));
  EXPECT_THAT(expert_similarity({}, 2), Each(IsNan()));
}

TEST(ExpertPlaces, OfAPermutationAreFoundExactly) {
  const std::vector<std::size_t> place = reversed();
  const ExpertPlaces found = find_places({cosines_after(place, 0.5f), {}}, experts);
  EXPECT_EQ(found.moved, experts);
  EXPECT_EQ(found.assigned, place);
  for (std::size_t e = 0; e < experts; ++e) EXPECT_EQ(found.places[e], static_cast<std::int32_t>(place[e]));
}

// Expert 1 still looks much like what is in its place now, but expert 0 is certainly there.
TEST(ExpertPlaces, OfAnExpertThatWasDrivenOutFollowFromTheOthers) {
  std::vector<double> cosines(experts * experts, 0.0);
  for (std::size_t e = 0; e < experts; ++e) cosines[e * experts + e] = e < 2 ? 0 : 1;
  cosines[0 * experts + 1] = 1;
  cosines[1 * experts + 0] = 1;
  cosines[1 * experts + 1] = 0.6;
  ASSERT_EQ(find_permutation(cosines, experts).moved, std::vector<std::size_t>{0});
  const ExpertPlaces found = find_places({cosines, {}}, experts);
  EXPECT_EQ(found.moved, 2u);
  EXPECT_EQ(found.places[0], 1);
  EXPECT_EQ(found.places[1], 0);
}

TEST(ExpertPlaces, OfExpertsThatStayedAreTheirOwn) {
  std::vector<std::size_t> place(experts);
  for (std::size_t e = 0; e < experts; ++e) place[e] = e;
  const ExpertPlaces found = find_places({cosines_after(place, 0.5f), {}}, experts);
  EXPECT_EQ(found.moved, 0u);
  for (std::size_t e = 0; e < experts; ++e) EXPECT_EQ(found.places[e], static_cast<std::int32_t>(e));
}

// An untrained router and what became of it have nothing in common: most experts are best matched with
// another one, by chance, and nothing may be made of it.
TEST(ExpertPlaces, OfUnrelatedRoutersAreUnknownAndNobodyMoved) {
  const std::vector<float> a = normal_values<float>(experts * hidden, 3),
                           b = normal_values<float>(experts * hidden, 4);
  const ExpertPlaces found =
      find_places({row_cosines({a, experts, hidden}, {b, experts, hidden}), {}}, experts);
  EXPECT_EQ(found.moved, 0u);
  EXPECT_GT(std::ranges::count(found.places, -1), 8);
  for (std::size_t e = 0; e < experts; ++e)
    EXPECT_EQ(found.places[e], found.assigned[e] == e ? static_cast<std::int32_t>(e) : -1);
}

TEST(ExpertPlaces, OfRoutersAllAlikeAreNotJudged) {
  const std::vector<double> alike(experts * experts, 1.0);
  EXPECT_EQ(find_places({alike, {}}, experts).moved, 0u);
}

// Where the routers say nothing, the experts' own weights may.
TEST(ExpertPlaces, FollowTheWeightsWhereRoutersAreSilent) {
  const std::vector<double> silent(experts * experts, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(find_places({silent, cosines_after(reversed(), 0.5f)}, experts).moved, experts);
}

TEST(DescribeMoves, NamesLayersAndCountsAndWhatItMeans) {
  const std::string text = describe_moves(std::vector<LayerMoves>{{1, 0}, {2, 3}, {5, 16}}, 16, "05T", "06T");
  EXPECT_THAT(text, HasSubstr("between 05T and 06T: layer 2 (3 of 16), layer 5 (16 of 16);"));
  EXPECT_THAT(text, HasSubstr("different experts"));
  EXPECT_THAT(text, Not(HasSubstr("layer 1")));
}

TEST(DescribeMoves, SaysNothingWhereNobodyMoved) {
  EXPECT_EQ(describe_moves(std::vector<LayerMoves>{{1, 0}, {2, 0}}, 16, "05T", "06T"), "");
}

TEST(DescribeMoves, CountsLayersBeyondTheFirstSix) {
  std::vector<LayerMoves> layers;
  for (std::int64_t layer = 0; layer < 9; ++layer) layers.push_back({layer, 2});
  const std::string text = describe_moves(layers, 8, "a", "b");
  EXPECT_THAT(text, HasSubstr("layer 5 (2 of 8) and 3 more layers;"));
}

}  // namespace
}  // namespace moescope
