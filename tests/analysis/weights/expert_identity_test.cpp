#include "analysis/weights/expert_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "metrics/spectra/row_cosine.h"
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

TEST(ExpertPlaces, OfAPermutationAreFoundExactly) {
  const std::vector<std::size_t> place = reversed();
  const ExpertPlaces found = find_places(cosines_after(place, 0.5f), experts);
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
  const ExpertPlaces found = find_places(cosines, experts);
  EXPECT_EQ(found.moved, 2u);
  EXPECT_EQ(found.places[0], 1);
  EXPECT_EQ(found.places[1], 0);
}

TEST(ExpertPlaces, OfExpertsThatStayedAreTheirOwn) {
  std::vector<std::size_t> place(experts);
  for (std::size_t e = 0; e < experts; ++e) place[e] = e;
  const ExpertPlaces found = find_places(cosines_after(place, 0.5f), experts);
  EXPECT_EQ(found.moved, 0u);
  for (std::size_t e = 0; e < experts; ++e) EXPECT_EQ(found.places[e], static_cast<std::int32_t>(e));
}

// An untrained router and what became of it have nothing in common: most experts are best matched with
// another one, by chance, and nothing may be made of it.
TEST(ExpertPlaces, OfUnrelatedRoutersAreUnknownAndNobodyMoved) {
  const std::vector<float> a = normal_values<float>(experts * hidden, 3),
                           b = normal_values<float>(experts * hidden, 4);
  const ExpertPlaces found = find_places(row_cosines({a, experts, hidden}, {b, experts, hidden}), experts);
  EXPECT_EQ(found.moved, 0u);
  EXPECT_GT(std::ranges::count(found.places, -1), 8);
  for (std::size_t e = 0; e < experts; ++e)
    EXPECT_EQ(found.places[e], found.assigned[e] == e ? static_cast<std::int32_t>(e) : -1);
}

TEST(ExpertPlaces, OfRoutersAllAlikeAreNotJudged) {
  const std::vector<double> alike(experts * experts, 1.0);
  EXPECT_EQ(find_places(alike, experts).moved, 0u);
}

TEST(ExpertPlaces, OfNoEvidenceAreUnknown) {
  const ExpertPlaces found = find_places({}, experts);
  EXPECT_EQ(found.moved, 0u);
  EXPECT_THAT(found.places, Each(-1));
}

TEST(ExpertPlaces, OfAnExpertWithoutARowAreUnknownAlsoWhereAllOthersStayed) {
  std::vector<std::size_t> place(experts);
  for (std::size_t e = 0; e < experts; ++e) place[e] = e;
  std::vector<double> cosines = cosines_after(place, 0.5f);
  for (std::size_t other = 0; other < experts; ++other) {
    cosines[3 * experts + other] = std::nan("");  // a row that is zero or not finite before
    cosines[other * experts + 5] = std::nan("");  // and one that is afterwards
  }
  const ExpertPlaces found = find_places(cosines, experts);
  EXPECT_EQ(found.moved, 0u);
  for (std::size_t e = 0; e < experts; ++e)
    EXPECT_EQ(found.places[e], e == 3 || e == 5 ? -1 : static_cast<std::int32_t>(e));
}

TEST(ExpertPlaces, OfNoRowsAtAllAreUnknown) {
  const ExpertPlaces found = find_places(std::vector<double>(experts * experts, std::nan("")), experts);
  EXPECT_EQ(found.moved, 0u);
  EXPECT_THAT(found.places, Each(-1));
}

// Expert 0 is found in place 1; what stood there is driven out, but it has no row by which to say where to.
TEST(ExpertPlaces, OfAnExpertThatWasDrivenOutNeedEvidence) {
  std::vector<std::size_t> place(experts);
  for (std::size_t e = 0; e < experts; ++e) place[e] = e;
  std::swap(place[0], place[1]);
  std::vector<double> cosines = cosines_after(place, 0.1f);
  for (std::size_t other = 0; other < experts; ++other) cosines[1 * experts + other] = std::nan("");
  const ExpertPlaces found = find_places(cosines, experts);
  EXPECT_EQ(found.moved, 1u);
  EXPECT_EQ(found.places[0], 1);
  EXPECT_EQ(found.places[1], -1);
}

TEST(MatchedCosines, AreThoseOfTheAssignment) {
  EXPECT_THAT(matched_cosines(std::vector<double>{0.1, 0.9, 0.8, 0.2}, {{1, 0}, {1, 0}, 2}),
              ElementsAre(0.9, 0.8));
}

std::vector<std::size_t> in_order() {
  std::vector<std::size_t> place(experts);
  for (std::size_t e = 0; e < experts; ++e) place[e] = e;
  return place;
}

/// Of layer 3, with whatever evidence there is.
LayerMoves moves_by(const std::vector<double>& router, const std::vector<double>& weights) {
  return layer_moves(3, {router, weights}, find_places(router, experts), find_places(weights, experts));
}

TEST(LayerMoves, StateBothCosinesOfAPermutation) {
  const LayerMoves moves = moves_by(cosines_after(reversed(), 0.5f), cosines_after(reversed(), 0.25f));
  EXPECT_EQ(moves.layer, 3);
  EXPECT_EQ(moves.moved, experts);
  EXPECT_NEAR(moves.router_cosine, 1 / std::sqrt(1.25), 0.03);  // of x and x + y / 2, y at right angles
  EXPECT_NEAR(moves.weight_cosine, 1 / std::sqrt(1.0625), 0.03);
  EXPECT_EQ(moves.disagreeing, 0u);
}

TEST(LayerMoves, FollowOneEvidenceWhereThereIsNoOther) {
  const LayerMoves by_router = moves_by(cosines_after(reversed(), 0.5f), {});
  EXPECT_EQ(by_router.moved, experts);
  EXPECT_THAT(by_router.weight_cosine, IsNan());
  const std::vector<double> silent(experts * experts, std::numeric_limits<double>::quiet_NaN());
  const LayerMoves by_weights = moves_by(silent, cosines_after(reversed(), 0.5f));
  EXPECT_EQ(by_weights.moved, experts);
  EXPECT_THAT(by_weights.router_cosine, IsNan());
  EXPECT_GT(by_weights.weight_cosine, 0.8);
  EXPECT_EQ(by_router.disagreeing + by_weights.disagreeing, 0u);
}

TEST(LayerMoves, TellThatARouterWasPermutedWithoutItsExperts) {
  const LayerMoves moves = moves_by(cosines_after(reversed(), 0.5f), cosines_after(in_order(), 0.5f));
  EXPECT_EQ(moves.moved, experts);
  EXPECT_EQ(moves.disagreeing, experts);
  EXPECT_GT(moves.router_cosine, 0.8);
  EXPECT_LT(moves.weight_cosine, 0.2);
}

TEST(LayerMoves, OfExpertsThatStayedAreNone) {
  const LayerMoves moves = moves_by(cosines_after(in_order(), 0.5f), cosines_after(in_order(), 0.5f));
  EXPECT_EQ(moves.moved, 0u);
  EXPECT_THAT(moves.router_cosine, IsNan());
}

TEST(DescribeMoves, NamesLayersCountsAndCosinesAndWhatItMeans) {
  const std::string text = describe_moves(
      std::vector<LayerMoves>{{1}, {2, 3, 0.976, 0.9}, {5, 16, 1, LayerMoves::unknown}, {6, 2, -0.06, 0.5}},
      16, "05T", "06T");
  EXPECT_THAT(text, HasSubstr("between 05T and 06T: layer 2 (3 of 16, cosine of router rows 0.98, of weights "
                              "0.90), layer 5 (16 of 16, cosine of router rows 1.00), layer 6 (2 of 16, "
                              "cosine of router rows -0.06, of weights 0.50);"));
  EXPECT_THAT(text, HasSubstr("different experts"));
  EXPECT_THAT(text, Not(HasSubstr("layer 1")));
  EXPECT_THAT(text, Not(HasSubstr("agree:")));
}

TEST(DescribeMoves, SaysWhereRouterAndWeightsDoNotAgree) {
  const std::string text =
      describe_moves(std::vector<LayerMoves>{{2, 3, 0.9, 0.1, 3}, {3, 4, 0.9, 0.9}}, 16, "a", "b");
  EXPECT_THAT(text, HasSubstr("in 1 layer router rows and weights do not agree"));
}

TEST(DescribeMoves, SaysNothingWhereNobodyMoved) {
  EXPECT_EQ(describe_moves(std::vector<LayerMoves>{{1}, {2}}, 16, "05T", "06T"), "");
}

TEST(DescribeMoves, CountsLayersBeyondTheFirstSix) {
  std::vector<LayerMoves> layers;
  for (std::int64_t layer = 0; layer < 9; ++layer) layers.push_back({layer, 2});
  const std::string text = describe_moves(layers, 8, "a", "b");
  EXPECT_THAT(text, HasSubstr("layer 5 (2 of 8) and 3 more layers;"));
}

}  // namespace
}  // namespace moescope
