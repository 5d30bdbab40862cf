#include "plots/findings/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "metrics/entry/metric_names.h"

namespace moescope {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

LayerFacts layers(std::vector<double> values) {
  LayerFacts facts = {std::move(values)};
  facts.mean = mean_of(facts.layers);
  return facts;
}

/// Checkpoints a, b and c of a model with two MoE layers, two domains, two roles and 2 of 8 experts.
ReportFacts plain_run() {
  ReportFacts facts;
  RunLabels& labels = facts.labels;
  labels.checkpoints = labels.short_checkpoints = {"a", "b", "c"};
  labels.tokens_seen = {0, 1e12, 2e12};
  labels.step = {nan_value, nan_value, nan_value};
  labels.domains = {"prose", "math"};
  labels.moe_layers = {"1", "2"};
  labels.experts = {"0", "1", "2", "3", "4", "5", "6", "7"};
  labels.roles = {"router", "routed expert", "whole model"};
  facts.role_exists = {true, true, true};
  facts.experts_per_token = 2;
  facts.chance[metric::router_saturation] = 0.25;
  const double saturation[] = {0.25, 0.7, 1};
  for (int c = 0; c < 3; ++c) {
    CheckpointFacts checkpoint;
    checkpoint.name = labels.checkpoints[static_cast<std::size_t>(c)];
    checkpoint.loss = 5 - c;
    checkpoint.perplexity = std::exp(checkpoint.loss);
    checkpoint.domain_loss = {5.5 - c, 4.5 - c};
    checkpoint.summaries[metric::max_violation] = layers({1.0 / (1 + c), 2.0 / (1 + c)});
    checkpoint.summaries[metric::dead_experts] = layers({0, 0, 0, 0});
    checkpoint.summaries[metric::router_entropy] = layers({1 - 0.1 * c, 1 - 0.2 * c});
    checkpoint.summaries[metric::topk_mass] = layers({0.3 + 0.1 * c, 0.3 + 0.1 * c});
    checkpoint.summaries[metric::router_saturation] =
        layers({saturation[c], c == 2 ? 1 : saturation[c] - 0.1});
    checkpoint.drift = {0.5 * c, 0.25 * c, 0.3 * c};
    checkpoint.step_drift = {c == 0 ? nan_value : 0.5, c == 0 ? nan_value : 0.25, nan_value};
    checkpoint.tortuosity = c == 0 ? nan_value : 1.25;
    facts.checkpoints.push_back(checkpoint);
  }
  return facts;
}

/// `facts` without all but the first `count` checkpoints.
ReportFacts first_of(ReportFacts facts, std::size_t count) {
  facts.checkpoints.resize(count);
  facts.labels.checkpoints.resize(count);
  facts.labels.short_checkpoints.resize(count);
  facts.labels.tokens_seen.resize(count);
  facts.labels.step.resize(count);
  return facts;
}

/// The sentences that begin with `start`, as one.
std::string finding(const ReportFacts& facts, const std::string& start) {
  for (const std::string& text : report_findings(facts)) {
    if (text.starts_with(start)) return text;
  }
  return "";
}

const Headline* headline(const std::vector<Headline>& all, const std::string& name) {
  for (const Headline& one : all) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

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

TEST(ReportFindings, OneDomainIsNeitherTheEasiestNorTheHardest) {
  ReportFacts facts = plain_run();
  facts.labels.domains = {"prose"};
  for (CheckpointFacts& checkpoint : facts.checkpoints) checkpoint.domain_loss = {checkpoint.loss};
  EXPECT_EQ(finding(facts, "Loss"),
            "Loss on prose fell from 5 to 3 nats per token (perplexity 148 to 20.1).");
  EXPECT_THAT(finding(facts, "MaxVio"), AllOf(Not(HasSubstr("domain")), HasSubstr("without a token there")));
  EXPECT_EQ(headline(report_headlines(facts), "Loss")->meaning, "nats per token, prose");
}

TEST(ReportFindings, DomainsThatLookEqualAreNamedTogether) {
  ReportFacts facts = plain_run();
  facts.labels.domains = {"prose", "math", "c"};
  facts.checkpoints[2].domain_loss = {3.5, 2.5, 2.5001};
  EXPECT_THAT(finding(facts, "Loss"), HasSubstr("lowest on math and c (2.5) and highest on prose (3.5)."));
  facts.checkpoints[2].domain_loss = {3, 3, 3};
  EXPECT_THAT(finding(facts, "Loss"),
              AllOf(HasSubstr("At c it is 3 on every domain."), Not(HasSubstr("lowest"))));
}

TEST(ReportFindings, ALossThatIsNotFiniteIsToldAndNotReplacedByAnother) {
  ReportFacts facts = plain_run();
  facts.checkpoints[2].loss = facts.checkpoints[2].perplexity = nan_value;
  facts.checkpoints[2].domain_loss = {nan_value, 2.5};
  EXPECT_EQ(finding(facts, "Loss"),
            "Loss over all domains fell from 5 at a to 4 nats per token at b (perplexity 148 to 54.6). It is "
            "not finite at c. At c it is not finite on prose.");
  const Headline loss = *headline(report_headlines(facts), "Loss");
  EXPECT_EQ(loss.value, "4");
  EXPECT_THAT(loss.meaning, HasSubstr("at b"));
  for (CheckpointFacts& checkpoint : facts.checkpoints) {
    checkpoint.loss = nan_value;
    checkpoint.domain_loss = {nan_value, nan_value};
  }
  EXPECT_THAT(finding(facts, "Loss"), HasSubstr("is not finite at any checkpoint."));
  EXPECT_EQ(headline(report_headlines(facts), "Loss"), nullptr);
}

TEST(ReportFindings, ACheckpointInTheMiddleWithoutAValueIsNamed) {
  ReportFacts facts = plain_run();
  facts.checkpoints[1].loss = nan_value;
  facts.checkpoints[1].summaries[metric::max_violation] = layers({nan_value, nan_value});
  EXPECT_THAT(finding(facts, "Loss"), HasSubstr("It is not finite at b."));
  EXPECT_THAT(finding(facts, "MaxVio"), HasSubstr("It has no value at b."));
}

TEST(ReportFindings, ACheckpointThatIsNotMeasuredYetIsNotCalledNotFinite) {
  ReportFacts facts = plain_run();
  facts.checkpoints[2].measured = false;
  facts.checkpoints[2].loss = nan_value;
  facts.checkpoints[2].domain_loss = {nan_value, nan_value};
  EXPECT_THAT(finding(facts, "Loss"),
              AllOf(HasSubstr("It is not measured at c."), HasSubstr("At b it is lowest on math (3.5)"),
                    Not(HasSubstr("not finite"))));
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

TEST(ReportFindings, DeadExpertsStandBesideWhatRandomRoutingLeaves) {
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

TEST(ReportFindings, MaxVioStandsBesideThatOfRandomRouting) {
  ReportFacts facts = plain_run();
  EXPECT_THAT(finding(facts, "MaxVio"), Not(HasSubstr("random")));
  facts.chance[metric::max_violation] = 0.18;
  EXPECT_THAT(finding(facts, "MaxVio"), HasSubstr("to 0.5; random routing of as many tokens gives 0.18."));
}

TEST(ReportFindings, AverageOverDomainsIsNotCalledTogether) {
  ReportFacts facts = plain_run();
  facts.load_is_pooled = false;
  EXPECT_THAT(finding(facts, "MaxVio"), HasSubstr("averaged over layers and over domains, fell"));
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

TEST(ReportFindings, OneExpertHasNoEntropyOfItsMaximum) {
  ReportFacts facts = plain_run();
  facts.labels.experts = {"0"};
  facts.experts_per_token = 1;
  for (CheckpointFacts& checkpoint : facts.checkpoints)
    checkpoint.summaries[metric::router_entropy] = layers({nan_value, nan_value});
  EXPECT_THAT(finding(facts, "Each layer"), HasSubstr("has one routed expert, which takes every token"));
  EXPECT_EQ(finding(facts, "Router"), "");
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

TEST(ReportFindings, RolesThatLookEqualAreNamedTogether) {
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

TEST(ReportFindings, ARoleWhoseDriftIsUnknownIsNamedAndOneThatTheModelLacksIsNot) {
  ReportFacts facts = plain_run();
  facts.checkpoints[2].drift = {0.5, nan_value, nan_value};
  EXPECT_THAT(finding(facts, "Since a"),
              AllOf(HasSubstr("the weights of the role router have a relative drift of 0.5."),
                    HasSubstr("Of routed expert no drift is known."), Not(HasSubstr("most"))));
  facts.role_exists = {true, false, true};
  EXPECT_THAT(finding(facts, "Since a"), Not(HasSubstr("no drift is known")));
}

TEST(ReportFindings, SaturationThatJumpsOnlyToTheLastCheckpointIsNotHalfWayBefore) {
  ReportFacts facts = plain_run();
  facts.checkpoints[1].summaries[metric::router_saturation] = layers({0.3, 0.3});
  EXPECT_THAT(finding(facts, "Router saturation"),
              HasSubstr("Before that it does not come half-way from chance to 1."));
  EXPECT_EQ(headline(report_headlines(facts), "Saturation half-way"), nullptr);
}

TEST(ReportFindings, WithoutAChanceLevelNothingIsHalfWay) {
  ReportFacts facts = plain_run();
  facts.chance.erase(metric::router_saturation);
  EXPECT_THAT(finding(facts, "Router saturation"),
              AllOf(Not(HasSubstr("chance")), Not(HasSubstr("half-way"))));
}

TEST(ReportFindings, SaturationWithoutTheLastCheckpointIsNotTold) {
  ReportFacts facts = plain_run();
  facts.checkpoints[2].summaries[metric::router_saturation] = layers({nan_value, nan_value});
  EXPECT_EQ(finding(facts, "Router saturation"), "");
}

TEST(ReportFindings, ManyCheckpointsWithoutAValueAreCountedAfterTheFirst) {
  ReportFacts facts = plain_run();
  while (facts.checkpoints.size() < 8) {
    facts.checkpoints.insert(facts.checkpoints.begin() + 1, facts.checkpoints[1]);
    facts.checkpoints[1].loss = nan_value;
  }
  EXPECT_THAT(finding(facts, "Loss"), HasSubstr("It is not finite at b, b, b and 2 more."));
}

TEST(ReportFindings, OfNothingAreNone) {
  EXPECT_THAT(report_findings(ReportFacts()), IsEmpty());
  EXPECT_THAT(report_headlines(ReportFacts()), SizeIs(0));
}

}  // namespace
}  // namespace moescope
