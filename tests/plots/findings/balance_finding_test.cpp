#include "plots/findings/balance_finding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metrics/entry/metric_names.h"
#include "tests/plots/findings/plain_run.h"

namespace moescope {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(BalanceFinding, DeadExpertsStandBesideWhatRandomRoutingLeaves) {
  ReportFacts facts = plain_run();
  facts.checkpoints[2].summaries[metric::dead_experts] = layers({3, 0, 0, 0});
  EXPECT_THAT(
      finding(facts, "MaxVio"),
      HasSubstr("On average over layers and domains, 0.75 experts of a layer are without a token there."));
  facts.chance[metric::dead_experts] = 0.6;
  EXPECT_THAT(finding(facts, "MaxVio"), HasSubstr("without a token there (random routing leaves 0.6)."));
  facts.checkpoints[2].summaries[metric::dead_experts] = layers({0, 0, 0, 0});
  EXPECT_THAT(finding(facts, "MaxVio"),
              HasSubstr("No expert is without a token in any domain there (random routing leaves 0.6)."));
  facts.chance[metric::dead_experts] = 1e-9;
  EXPECT_THAT(finding(facts, "MaxVio"), HasSubstr("in any domain there."));
}

TEST(BalanceFinding, MaxVioStandsBesideThatOfRandomRouting) {
  ReportFacts facts = plain_run();
  EXPECT_THAT(finding(facts, "MaxVio"), Not(HasSubstr("random")));
  facts.chance[metric::max_violation] = 0.18;
  EXPECT_THAT(finding(facts, "MaxVio"), HasSubstr("to 0.5; random routing of as many tokens gives 0.18."));
}

TEST(BalanceFinding, AverageOverDomainsIsNotCalledTogether) {
  ReportFacts facts = plain_run();
  facts.load_is_pooled = false;
  EXPECT_THAT(finding(facts, "MaxVio"), HasSubstr("averaged over layers and over domains, fell"));
}

}  // namespace
}  // namespace moescope
