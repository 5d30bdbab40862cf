#include "cli/comparison_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "readers/errors.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Weights that changed, and 4 as their norm before and after.
WeightChange changed(std::string name, std::int64_t layer, std::int64_t expert, double drift, double cosine) {
  return {std::move(name), layer, expert, 4, 4, drift, cosine};
}

RunComparison comparison() {
  RunComparison result;
  result.whole = {changed("model", -1, -1, 0.1, 0.99)};
  result.roles = {changed("router", -1, -1, 0.2, 0.98)};
  result.layers = {changed("", 3, -1, 0.3, 0.97)};
  result.experts = {changed("", 3, 17, 0.5, 0.5), changed("", 3, 2, 0.4, 0.96)};
  result.tensors = {changed("a.weight", 3, 17, 0.6, 0.9), changed("b.weight", -1, -1, 0, 1)};
  return result;
}

std::vector<std::string> broken(const RunComparison& values, const std::string& limit) {
  return broken_limits(values, {parse_limit(limit)});
}

TEST(ComparisonLimits, NameWhatIsFarthestAboveAndCountTheOthers) {
  EXPECT_THAT(
      broken(comparison(), "relative_drift=0.35"),
      ElementsAre("tensor 'a.weight': relative_drift is above its limit (expected at most 0.35, found 0.6); "
                  "2 more above it"));
}

TEST(ComparisonLimits, HoldAtTheLimitItself) {
  EXPECT_THAT(broken(comparison(), "relative_drift=0.6"), IsEmpty());
  EXPECT_THAT(broken(comparison(), "experts.relative_drift=0.5"), IsEmpty());
}

TEST(ComparisonLimits, LookAtOneKindOfWeightsWhereItIsNamed) {
  EXPECT_THAT(broken(comparison(), "model.relative_drift=0.09"),
              ElementsAre(HasSubstr("the whole model: model.relative_drift")));
  EXPECT_THAT(broken(comparison(), "roles.relative_drift=0.1"), ElementsAre(HasSubstr("role 'router'")));
  EXPECT_THAT(broken(comparison(), "layers.relative_drift=0.1"), ElementsAre(HasSubstr("layer 3: layers")));
  EXPECT_THAT(broken(comparison(), "experts.cosine_distance=0.1"),
              ElementsAre(HasSubstr("layer 3, expert 17: experts.cosine_distance")));
}

TEST(ComparisonLimits, AreBrokenByWhatCannotBeMeasured) {
  RunComparison values = comparison();
  values.tensors[0].relative_drift = std::nan("");
  EXPECT_THAT(broken(values, "tensors.relative_drift=9"),
              ElementsAre(HasSubstr("is not a number, and keeps no limit (expected at most")));
  values.tensors[0].norm_before = 0;
  EXPECT_THAT(broken(values, "tensors.relative_drift=9"), ElementsAre(HasSubstr("found a move away from 0")));
  values.tensors[0].norm_after = 0;  // it was and is 0
  EXPECT_THAT(broken(values, "tensors.relative_drift=9"), IsEmpty());
}

TEST(ComparisonLimits, OfLossesAreRisesInADomain) {
  RunComparison values;
  values.losses = {{"math", 2.0, 2.5}, {"c", 3.0, 1.0}, {"all domains", 2.5, 1.75}};
  EXPECT_THAT(broken(values, "loss_change=0.25"),
              ElementsAre("math: loss_change is above its limit (expected at most 0.25, found 0.5)"));
  EXPECT_THAT(broken(values, "loss_change=-1"), ElementsAre(HasSubstr("1 more above it")));
}

TEST(ComparisonLimits, OfRoutingAreHeldAgainstEveryLayer) {
  RunComparison values;
  values.losses = {{"all domains", 2, 2}};
  values.routing = {{1, 0.9, 0.1, 1.5, 3.5}, {2, 0.8, 0.3, 1.5, 2.5}};
  EXPECT_THAT(broken(values, "load_total_variation=0.2"),
              ElementsAre(HasSubstr("layer 2: load_total_variation")));
  EXPECT_THAT(broken(values, "max_violation_after=3"),
              ElementsAre(HasSubstr("layer 1: max_violation_after")));
}

TEST(ComparisonLimits, NeedValuesToBeHeldAgainst) {
  EXPECT_THROW(broken(comparison(), "loss_change=1"), UsageError);
  EXPECT_THROW(broken(RunComparison{}, "relative_drift=1"), UsageError);
  EXPECT_TRUE(needs_forward_pass(parse_limit("loss_change=1")));
  EXPECT_FALSE(needs_forward_pass(parse_limit("layers.cosine_distance=1")));
}

TEST(ComparisonLimits, AnUnknownMetricIsAUsageErrorThatNamesTheClosest) {
  try {
    parse_limit("expert.relative_drift=1");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no metric is called 'expert.relative_drift'"));
    EXPECT_EQ(error.hint(), "did you mean 'experts.relative_drift'?");
  }
}

TEST(ComparisonLimits, AValueIsANumber) {
  for (const char* text : {"relative_drift", "relative_drift=", "relative_drift=x", "relative_drift=1x",
                           "relative_drift=nan", "relative_drift=inf", "=1", ""}) {
    EXPECT_THROW(parse_limit(text), UsageError) << text;
  }
  EXPECT_EQ(parse_limit("relative_drift=1e-3").value, 1e-3);
  EXPECT_EQ(parse_limit("loss_change=-0.5").value, -0.5);
}

TEST(ComparisonLimits, HelpNamesEveryMetric) {
  const std::string text = limit_metrics_text();
  for (const char* name :
       {"relative_drift", "cosine_distance", "loss_change", "load_total_variation", "max_violation_after"}) {
    EXPECT_THAT(text, HasSubstr(name));
  }
}

}  // namespace
}  // namespace moescope
