#include "plots/figures/metric_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "readers/errors.h"
#include "tests/plots/figures/figures_fixture.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

using MetricLines = FiguresTest;

TEST_F(MetricLines, LossHasOneLinePerDomainAgainstTrillionsOfTokens) {
  const Figure figure = build_figure(sample(), "loss");
  ASSERT_THAT(figure.panels, SizeIs(1));
  ASSERT_THAT(figure.panels[0].series, SizeIs(2));
  const Series& math = figure.panels[0].series[1];
  EXPECT_EQ(math.label, "math");
  EXPECT_THAT(math.x, ElementsAre(0, 1, 2, 3));
  EXPECT_DOUBLE_EQ(math.y[2], 3 + std::exp(-2.0));  // sample_run.h
  EXPECT_EQ(figure.x.tick_suffix, " T");
}

TEST_F(MetricLines, MaxVioByLayerTakesAllDomainsTogetherUnlessOneIsChosen) {
  const RunFile run = sample();
  const Figure pooled = build_figure(run, "max_violation");
  EXPECT_DOUBLE_EQ(pooled.panels[0].series[1].y[1], (0.5 + 0.1) / 2);
  const Figure math = build_figure(run, "max_violation", {.checkpoint = {}, .domain = "math", .layer = {}});
  EXPECT_DOUBLE_EQ(math.panels[0].series[1].y[1], 0.5 + 0.1);
  EXPECT_THAT(math.title, HasSubstr("math"));
}

TEST_F(MetricLines, RandomRoutingIsALineOfAllTokensAndABandOverDomains) {
  const RunFile run = sample();
  const auto reference = [](const Figure& figure) -> Reference {
    for (const Reference& one : figure.references) {
      if (one.label.starts_with("random routing")) return one;
    }
    return {NAN, "none"};
  };
  EXPECT_EQ(reference(build_figure(run, "max_violation")).label, "random routing 0.15");
  const Reference math =
      reference(build_figure(run, "max_violation", {.checkpoint = {}, .domain = "math", .layer = {}}));
  EXPECT_EQ(math.label, "random routing 0.4");
  EXPECT_FALSE(math.high);
  const Reference dead = reference(build_figure(run, "dead_experts"));
  EXPECT_EQ(dead.label, "random routing 0.1 to 0.2, by domain");
  EXPECT_DOUBLE_EQ(dead.value, 0.1);
  EXPECT_DOUBLE_EQ(dead.high.value(), 0.2);
  EXPECT_EQ(reference(build_figure(run, "max_violation_by_domain")).label,
            "random routing 0.2 to 0.4, by domain");
  EXPECT_EQ(reference(build_figure(run, "top1_share")).label, "none");
}

TEST_F(MetricLines, CaptionsOfSharesSpeakOfShares) {
  const RunFile run = sample();
  for (const char* id : {"router_entropy", "router_entropy_by_domain"}) {
    const Figure figure = build_figure(run, id);
    EXPECT_THAT(figure.caption, HasSubstr("as a share of the highest entropy ln E: 1 is no preference"));
    EXPECT_THAT(figure.caption, Not(HasSubstr("ln E is no preference")));
    EXPECT_THAT(figure.formula, HasSubstr("/ ln E"));
  }
  const Figure rate = build_figure(run, "weight_update_rate");
  EXPECT_THAT(rate.caption, HasSubstr("moved per trillion tokens"));
  EXPECT_THAT(rate.caption, Not(HasSubstr("each token")));
}

TEST_F(MetricLines, AMeanOverFewerLayersSaysSo) {
  SampleRun broken;
  broken.broken = true;
  const RunFile whole = sample();
  const std::vector<std::string> means = {"max_violation_by_domain", "dead_experts",
                                          "router_entropy_by_domain", "routing_agreement"};
  for (const std::string& id : means)
    EXPECT_THAT(build_figure(whole, id).caption, Not(HasSubstr("no value")));
  const RunFile run = sample(broken);
  for (const std::string& id : means) {
    EXPECT_THAT(build_figure(run, id).caption,
                HasSubstr("Where a layer has no value, the mean is over the others: at tiny-3T"));
    EXPECT_THAT(build_figure(run, id).caption, HasSubstr("over 1 of 2."));
  }
}

TEST_F(MetricLines, ARouterWithOneExpertHasNoEntropyToShow) {
  SampleRun one;
  one.experts = one.chosen = 1;
  const RunFile run = sample(one);
  for (const char* id : {"router_entropy", "router_entropy_by_domain"})
    EXPECT_THROW(build_figure(run, id), FormatError) << id;
}

TEST_F(MetricLines, MassOnTheChosenExpertsTakesTheAxisThatItNeeds) {
  const Figure figure = build_figure(sample(), "topk_mass");
  EXPECT_FALSE(figure.y.minimum);
  EXPECT_FALSE(figure.y.maximum);
}

TEST_F(MetricLines, RouterEntropyIsDividedByItsMaximum) {
  const Figure figure = build_figure(sample(), "router_entropy");
  EXPECT_DOUBLE_EQ(figure.panels[0].series[0].y[0], 1);
  EXPECT_DOUBLE_EQ(figure.panels[0].series[0].y[2], 0.75);
  ASSERT_THAT(figure.references, SizeIs(1));
  EXPECT_EQ(figure.references[0].label, "upper bound 1");
}

}  // namespace
}  // namespace moescope
