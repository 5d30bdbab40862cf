#include "analysis/forward/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace moescope {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::FloatNear;

RoutingScheme groups_of(std::int64_t groups, std::int64_t kept) {
  RoutingScheme scheme;
  scheme.groups = groups;
  scheme.kept_groups = kept;
  return scheme;
}

std::vector<std::uint16_t> select(const RoutingScheme& scheme, std::vector<float> scores,
                                  std::vector<float> bias, std::size_t count) {
  std::vector<std::uint16_t> index(count);
  select_experts(scheme, scores, bias, index);
  return index;
}

TEST(SelectExperts, BestFirstByScorePlusBias) {
  const RoutingScheme scheme;
  EXPECT_THAT(select(scheme, {0.1f, 0.4f, 0.3f, 0.2f}, {}, 3), ElementsAre(1, 2, 3));
  EXPECT_THAT(select(scheme, {0.1f, 0.4f, 0.3f, 0.2f}, {1.0f, 0, 0, 0.15f}, 3), ElementsAre(0, 1, 3));
}

TEST(SelectExperts, TiesGoToTheLowerExpert) {
  EXPECT_THAT(select(RoutingScheme(), {0.5f, 0.7f, 0.7f, 0.5f}, {}, 4), ElementsAre(1, 2, 0, 3));
}

TEST(SelectExperts, GroupsAreRankedByTheSumOfTheirTwoBest) {
  // Group 0 holds the single best expert, but group 1 the better pair.
  const std::vector<float> scores = {0.9f, 0.1f, 0.0f, 0.6f, 0.5f, 0.0f};
  EXPECT_THAT(select(groups_of(2, 1), scores, {}, 2), ElementsAre(3, 4));
  std::vector<std::uint16_t> all(6);
  EXPECT_EQ(select_experts(groups_of(2, 1), scores, {}, all), 3u);
}

TEST(SelectExperts, GroupsCanBeRankedByTheirBest) {
  RoutingScheme scheme = groups_of(2, 1);
  scheme.group_score = GroupScore::best;
  EXPECT_THAT(select(scheme, {0.9f, 0.1f, 0.0f, 0.6f, 0.5f, 0.0f}, {}, 2), ElementsAre(0, 1));
}

TEST(SelectExperts, ExpertsOfOtherGroupsLoseEvenAgainstNegativeSelectionScores) {
  const std::vector<float> scores = {0.9f, 0.8f, 0.1f, 0.1f};
  const std::vector<float> bias = {-2.0f, -2.0f, -5.0f, -5.0f};
  EXPECT_THAT(select(groups_of(2, 1), scores, bias, 2), ElementsAre(0, 1));
}

TEST(SelectExperts, NaNIsNeverPreferred) {
  EXPECT_THAT(select(RoutingScheme(), {std::nanf(""), 0.1f, 0.2f, std::nanf("")}, {}, 4),
              ElementsAre(2, 1, 0, 3));
}

TEST(ScoreLogits, AreSigmoidsOneByOneOrSharesOfAll) {
  const std::vector<float> logits = {0, std::log(3.0f), -200, 100};
  std::vector<float> scores(4);
  score_logits({.score = ScoreFunction::sigmoid}, logits, scores);
  EXPECT_THAT(scores, ElementsAre(0.5f, FloatNear(0.75f, 1e-6f), FloatNear(0, 1e-6f), 1.0f));
  score_logits({.score = ScoreFunction::softmax}, std::span(logits).first(2), std::span(scores).first(2));
  EXPECT_NEAR(scores[0], 0.25, 1e-6);
  EXPECT_NEAR(scores[1], 0.75, 1e-6);
  score_logits({.score = ScoreFunction::softmax}, logits, scores);  // exp(100) would be infinite in float32
  EXPECT_THAT(scores, ElementsAre(FloatNear(0, 1e-6f), FloatNear(0, 1e-6f), 0, 1.0f));
}

TEST(ScoreLogits, OfTheExpertsThatEveryTokenTakesAreSharesOfTheirOwn) {
  RoutingScheme scheme{.score = ScoreFunction::softmax};
  scheme.always_last = 1;
  const std::vector<float> logits = {0, std::log(3.0f), 50};
  std::vector<float> scores(3);
  score_logits(scheme, logits, scores);
  EXPECT_THAT(scores, ElementsAre(FloatNear(0.25f, 1e-6f), FloatNear(0.75f, 1e-6f), 1.0f));
}

TEST(SelectExperts, TakesWhatEveryTokenTakesBeforeAllOthers) {
  RoutingScheme scheme;
  scheme.always_last = 1;
  EXPECT_THAT(select(scheme, {0.1f, 0.9f, 0.5f, 0.01f}, {}, 3), ElementsAre(3, 1, 2));
  scheme.always_last = 0;
  scheme.always = {2, 0};
  EXPECT_THAT(select(scheme, {0.1f, 0.9f, 0.5f, 0.01f}, {}, 3), ElementsAre(0, 2, 1));
}

/// One token with these logits.
RouterOutput scored(ScoreFunction score, const std::vector<float>& logits) {
  RouterOutput routing;
  routing.score = score;
  routing.logits = Matrix(1, logits.size());
  routing.scores = Matrix(1, logits.size());
  std::ranges::copy(logits, routing.logits.row(0).begin());
  score_logits({.score = score}, logits, routing.scores.row(0));
  return routing;
}

// Sigmoid scores of 0.5, 0.75 and 0.75; exp of the logits 1, 3 and 3.
TEST(RouterDistribution, FollowsTheScoreFunction) {
  const std::vector<float> logits = {0, std::log(3.0f), std::log(3.0f)};
  std::vector<double> distribution(3);
  router_distribution(scored(ScoreFunction::sigmoid, logits), 0, distribution);
  EXPECT_THAT(distribution,
              ElementsAre(DoubleNear(0.25, 1e-6), DoubleNear(0.375, 1e-6), DoubleNear(0.375, 1e-6)));
  router_distribution(scored(ScoreFunction::softmax, logits), 0, distribution);
  EXPECT_THAT(distribution,
              ElementsAre(DoubleNear(1 / 7.0, 1e-6), DoubleNear(3 / 7.0, 1e-6), DoubleNear(3 / 7.0, 1e-6)));
}

}  // namespace
}  // namespace moescope
