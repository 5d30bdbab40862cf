#include "plots/findings/saturation_finding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metrics/entry/metric_names.h"
#include "tests/plots/findings/plain_run.h"

namespace moescope {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(SaturationFinding, SaturationThatJumpsOnlyToTheLastCheckpointIsNotHalfWayBefore) {
  ReportFacts facts = plain_run();
  facts.checkpoints[1].summaries[metric::router_saturation] = layers({0.3, 0.3});
  EXPECT_THAT(finding(facts, "Router saturation"),
              HasSubstr("Before that it does not come half-way from chance to 1."));
  EXPECT_EQ(headline(report_headlines(facts), "Saturation half-way"), nullptr);
}

TEST(SaturationFinding, WithoutAChanceLevelNothingIsHalfWay) {
  ReportFacts facts = plain_run();
  facts.chance.erase(metric::router_saturation);
  EXPECT_THAT(finding(facts, "Router saturation"),
              AllOf(Not(HasSubstr("chance")), Not(HasSubstr("half-way"))));
}

TEST(SaturationFinding, SaturationWithoutTheLastCheckpointIsNotTold) {
  ReportFacts facts = plain_run();
  facts.checkpoints[2].summaries[metric::router_saturation] = layers({nan_value, nan_value});
  EXPECT_EQ(finding(facts, "Router saturation"), "");
}

}  // namespace
}  // namespace moescope
