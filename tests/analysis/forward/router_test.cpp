#include "analysis/forward/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace moescope {
namespace {

using testing::ElementsAre;

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

TEST(SelectExperts, ExpertsOfOtherGroupsLoseEvenAgainstNegativeSelectionScores) {
  const std::vector<float> scores = {0.9f, 0.8f, 0.1f, 0.1f};
  const std::vector<float> bias = {-2.0f, -2.0f, -5.0f, -5.0f};
  EXPECT_THAT(select(groups_of(2, 1), scores, bias, 2), ElementsAre(0, 1));
}

TEST(SelectExperts, NaNIsNeverPreferred) {
  EXPECT_THAT(select(RoutingScheme(), {std::nanf(""), 0.1f, 0.2f, std::nanf("")}, {}, 4),
              ElementsAre(2, 1, 0, 3));
}

}  // namespace
}  // namespace moescope
