#include "plots/findings/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "metrics/entry/metric_names.h"
#include "tests/plots/findings/plain_run.h"

namespace moescope {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST(ReportFindings, OfAPlainRunRestateItsNumbers) {
  const ReportFacts facts = plain_run();
  EXPECT_THAT(
      report_findings(facts),
      ElementsAre(
          "Loss over all domains fell from 5 to 3 nats per token (perplexity 148 to 20.1). At c it is lowest "
          "on math (2.5) and highest on prose (3.5).",
          "MaxVio, averaged over layers and with all domains together, fell from 1.5 to 0.5. The least even "
          "layer at c is layer 2: its busiest expert takes 1.67 times an even share. No expert is without a "
          "token in any domain there.",
          "Router entropy, averaged over layers, fell from 1 to 0.7 of its maximum ln E. At c the chosen "
          "experts hold 50 % of the router distribution.",
          "Router saturation, averaged over layers, is 0.2 at a (chance 0.25) and by definition 1 at c, with "
          "whose choices it compares. It is half-way from chance to 1 between a and b. At b, the checkpoint "
          "before, it is 65 %, least in layer 2 (60 %).",
          "Since a the weights of the role router moved most (relative drift 1), those of the role routed "
          "expert least (0.5). In the last step, from b to c, the largest is that of router (0.5). The path "
          "of the whole model is 1.25 times as long as the straight way."));
}

TEST(ReportFindings, ACheckpointInTheMiddleWithoutAValueIsNamed) {
  ReportFacts facts = plain_run();
  facts.checkpoints[1].loss = nan_value;
  facts.checkpoints[1].summaries[metric::max_violation] = layers({nan_value, nan_value});
  EXPECT_THAT(finding(facts, "Loss"), HasSubstr("It is not finite at b."));
  EXPECT_THAT(finding(facts, "MaxVio"), HasSubstr("It has no value at b."));
}

TEST(ReportFindings, OneCheckpointShowsNoChange) {
  const ReportFacts facts = first_of(plain_run(), 1);
  EXPECT_THAT(
      report_findings(facts),
      ElementsAre(
          "Loss over all domains is 5 nats per token (perplexity 148). At a it is lowest on math (4.5) and "
          "highest on prose (5.5).",
          HasSubstr("MaxVio, averaged over layers and with all domains together, is 1.5. The"),
          HasSubstr("Router entropy, averaged over layers, is 1 of its maximum ln E.")));
  for (const Headline& one : report_headlines(facts)) EXPECT_THAT(one.change, IsEmpty()) << one.name;
}

TEST(ReportFindings, TwoCheckpointsHaveNoOneBeforeTheLastAndNoLastStepOfItsOwn) {
  ReportFacts facts = first_of(plain_run(), 2);
  facts.checkpoints[1].summaries[metric::router_saturation] = layers({1, 1});
  EXPECT_THAT(finding(facts, "Router saturation"),
              AllOf(HasSubstr("is 0.2 at a (chance 0.25) and by definition 1 at b, with whose choices it "
                              "compares. Before that it does not come half-way from chance to 1."),
                    Not(HasSubstr("the checkpoint before"))));
  EXPECT_EQ(headline(report_headlines(facts), "Saturation half-way"), nullptr);
  EXPECT_THAT(finding(facts, "Since a"), AllOf(Not(HasSubstr("last step")), Not(HasSubstr("path"))));
}

TEST(ReportFindings, WhatEndsAsItBeganIsNotSaidToHaveStayed) {
  ReportFacts facts = plain_run();
  facts.checkpoints[2].loss = 5;
  facts.checkpoints[2].perplexity = std::exp(5.0);
  EXPECT_THAT(finding(facts, "Loss"),
              AllOf(HasSubstr("is 5 nats per token both at the first and at the last checkpoint"),
                    Not(HasSubstr("stayed"))));
}

TEST(ReportFindings, OneLayerIsNoAverageAndNotTheLeastEven) {
  ReportFacts facts = plain_run();
  facts.labels.moe_layers = {"7"};
  for (CheckpointFacts& checkpoint : facts.checkpoints) {
    for (LayerFacts* member :
         {&checkpoint.summaries[metric::max_violation], &checkpoint.summaries[metric::router_entropy],
          &checkpoint.summaries[metric::topk_mass], &checkpoint.summaries[metric::router_saturation]})
      *member = layers({member->layers[0]});
    checkpoint.summaries[metric::dead_experts] = layers({1, 0});
  }
  EXPECT_THAT(finding(facts, "MaxVio"),
              AllOf(HasSubstr("MaxVio of layer 7, with all domains together, fell from 1 to 0.333."),
                    HasSubstr("At c its busiest expert takes 1.33 times an even share."),
                    Not(HasSubstr("least even"))));
  EXPECT_THAT(finding(facts, "Router entropy"), HasSubstr("Router entropy of layer 7 fell"));
  EXPECT_THAT(finding(facts, "Router saturation"),
              AllOf(HasSubstr("Router saturation of layer 7 is 0.25 at a"), Not(HasSubstr("least in"))));
  EXPECT_THAT(headline(report_headlines(facts), "MaxVio")->meaning, HasSubstr("of layer 7"));
}

TEST(ReportFindings, LayersThatLookEqualAreNamedTogether) {
  ReportFacts facts = plain_run();
  facts.labels.moe_layers = {"1", "2", "3"};
  facts.checkpoints[2].summaries[metric::max_violation] = layers({0.5, 0.5, 0.2});
  facts.checkpoints[1].summaries[metric::router_saturation] = layers({0.6, 0.7, 0.6});
  EXPECT_THAT(
      finding(facts, "MaxVio"),
      HasSubstr("The least even layers at c are layers 1 and 2: the busiest expert of each takes 1.5 times"));
  EXPECT_THAT(finding(facts, "Router saturation"), HasSubstr("least in layers 1 and 3 (60 %)"));
  facts.checkpoints[2].summaries[metric::max_violation] = layers({0.5, 0.5, 0.5});
  EXPECT_THAT(finding(facts, "MaxVio"),
              HasSubstr("At c the busiest expert of every layer takes 1.5 times an even share."));
}

TEST(ReportFindings, AMeanOverFewerLayersSaysSo) {
  ReportFacts facts = plain_run();
  facts.checkpoints[2].summaries[metric::max_violation] = layers({0.5, nan_value});
  facts.checkpoints[2].summaries[metric::router_entropy] = layers({nan_value, 0.5});
  facts.checkpoints[1].summaries[metric::router_saturation] = layers({0.7, nan_value});
  facts.checkpoints[2].summaries[metric::dead_experts] = layers({0, nan_value, 0, nan_value});
  EXPECT_THAT(finding(facts, "MaxVio"),
              AllOf(HasSubstr("At c the mean is over 1 of 2 layers."),
                    HasSubstr("the busiest expert of layer 1 takes 1.5 times"), Not(HasSubstr("least even")),
                    HasSubstr("there, of the 2 of 4 layers and domains that have a value.")));
  EXPECT_THAT(finding(facts, "Router entropy"), HasSubstr("At c the mean is over 1 of 2 layers."));
  EXPECT_THAT(finding(facts, "Router saturation"), HasSubstr("At b the mean is over 1 of 2 layers."));
}

TEST(ReportFindings, WhereEveryExpertIsTakenNothingIsChosen) {
  ReportFacts facts = plain_run();
  facts.experts_per_token = 8;
  EXPECT_EQ(finding(facts, "MaxVio"), "");
  EXPECT_EQ(finding(facts, "Router saturation"), "");
  EXPECT_THAT(finding(facts, "Every token"),
              HasSubstr("takes all 8 routed experts of a layer: nothing is chosen"));
  EXPECT_THAT(finding(facts, "Router entropy"), Not(HasSubstr("hold")));
  EXPECT_EQ(headline(report_headlines(facts), "MaxVio"), nullptr);
  EXPECT_EQ(headline(report_headlines(facts), "Saturation half-way"), nullptr);
}

TEST(ReportFindings, IdenticalCheckpointsHaveNoRoleThatMovedMost) {
  ReportFacts facts = plain_run();
  for (CheckpointFacts& checkpoint : facts.checkpoints) {
    checkpoint.summaries[metric::router_saturation] = layers({1, 1});
    checkpoint.drift = checkpoint.step_drift = {0, 0, 0};
    checkpoint.tortuosity = nan_value;
  }
  EXPECT_EQ(finding(facts, "Since a"),
            "Since a no weight of any role has moved. In the last step, from b to c, no weight moved.");
  EXPECT_THAT(finding(facts, "Router saturation"), HasSubstr("is 1 at every checkpoint"));
  EXPECT_EQ(headline(report_headlines(facts), "Largest drift")->meaning,
            "no role has moved, since the first checkpoint");
}

TEST(ReportFindings, OfNothingAreNone) {
  EXPECT_THAT(report_findings(ReportFacts()), IsEmpty());
  EXPECT_THAT(report_headlines(ReportFacts()), SizeIs(0));
}

}  // namespace
}  // namespace moescope
