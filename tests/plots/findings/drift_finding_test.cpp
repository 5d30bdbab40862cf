#include "plots/findings/drift_finding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/plots/findings/plain_run.h"

namespace moescope {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(DriftFinding, RolesThatLookEqualAreNamedTogether) {
  ReportFacts facts = plain_run();
  facts.checkpoints[2].drift = {0.5, 0.5, 0.5};
  EXPECT_THAT(finding(facts, "Since a"),
              HasSubstr("the weights of every role have a relative drift of 0.5."));
  facts.labels.roles = {"router", "head", "routed expert", "whole model"};
  facts.role_exists = {true, true, true, true};
  facts.checkpoints[2].drift = {0.5, 0.5, 0, 0.3};
  facts.checkpoints[2].step_drift = {0.1, 0.1, 0.05, 0.1};
  EXPECT_THAT(
      finding(facts, "Since a"),
      AllOf(HasSubstr(
                "the roles router and head moved most (relative drift 0.5), those of the role routed expert "
                "not at all."),
            HasSubstr("the largest is that of router and head (0.1).")));
}

TEST(DriftFinding, ARoleWhoseDriftIsUnknownIsNamedAndOneThatTheModelLacksIsNot) {
  ReportFacts facts = plain_run();
  facts.checkpoints[2].drift = {0.5, nan_value, nan_value};
  EXPECT_THAT(finding(facts, "Since a"),
              AllOf(HasSubstr("the weights of the role router have a relative drift of 0.5."),
                    HasSubstr("Of routed expert no drift is known."), Not(HasSubstr("most"))));
  facts.checkpoints[0].norm = {1, 0, 2};
  facts.checkpoints[2].norm = {1, 0.5, 2};
  EXPECT_THAT(finding(facts, "Since a"),
              HasSubstr(" Of routed expert no drift is known: at a all of these weights are 0."));
  facts.checkpoints[0].norm[1] = facts.checkpoints[2].norm[1] = nan_value;
  EXPECT_THAT(finding(facts, "Since a"),
              HasSubstr("no drift is known: at a and c these weights are not all finite."));
  facts.checkpoints[0].norm[1] = 1;
  EXPECT_THAT(finding(facts, "Since a"), HasSubstr("no drift is known: at c these weights are not"));
  facts.role_exists = {true, false, true};
  EXPECT_THAT(finding(facts, "Since a"), Not(HasSubstr("no drift is known")));
}

}  // namespace
}  // namespace moescope
