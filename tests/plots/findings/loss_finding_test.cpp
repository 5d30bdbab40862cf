#include "plots/findings/loss_finding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/plots/findings/plain_run.h"

namespace moescope {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(LossFinding, OneDomainIsNeitherTheEasiestNorTheHardest) {
  ReportFacts facts = plain_run();
  facts.labels.domains = {"prose"};
  for (CheckpointFacts& checkpoint : facts.checkpoints) checkpoint.domain_loss = {checkpoint.loss};
  EXPECT_EQ(finding(facts, "Loss"),
            "Loss on prose fell from 5 to 3 nats per token (perplexity 148 to 20.1).");
  EXPECT_THAT(finding(facts, "MaxVio"), AllOf(Not(HasSubstr("domain")), HasSubstr("without a token there")));
  EXPECT_EQ(headline(report_headlines(facts), "Loss")->meaning, "nats per token, prose");
}

TEST(LossFinding, DomainsThatLookEqualAreNamedTogether) {
  ReportFacts facts = plain_run();
  facts.labels.domains = {"prose", "math", "c"};
  facts.checkpoints[2].domain_loss = {3.5, 2.5, 2.5001};
  EXPECT_THAT(finding(facts, "Loss"), HasSubstr("lowest on math and c (2.5) and highest on prose (3.5)."));
  facts.checkpoints[2].domain_loss = {3, 3, 3};
  EXPECT_THAT(finding(facts, "Loss"),
              AllOf(HasSubstr("At c it is 3 on every domain."), Not(HasSubstr("lowest"))));
}

TEST(LossFinding, ALossThatIsNotFiniteIsToldAndNotReplacedByAnother) {
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

TEST(LossFinding, ACheckpointThatIsNotMeasuredYetIsNotCalledNotFinite) {
  ReportFacts facts = plain_run();
  facts.checkpoints[2].measured = false;
  facts.checkpoints[2].loss = nan_value;
  facts.checkpoints[2].domain_loss = {nan_value, nan_value};
  EXPECT_THAT(finding(facts, "Loss"),
              AllOf(HasSubstr("It is not measured at c."), HasSubstr("At b it is lowest on math (3.5)"),
                    Not(HasSubstr("not finite"))));
}

TEST(LossFinding, ManyCheckpointsWithoutAValueAreCountedAfterTheFirst) {
  ReportFacts facts = plain_run();
  while (facts.checkpoints.size() < 8) {
    facts.checkpoints.insert(facts.checkpoints.begin() + 1, facts.checkpoints[1]);
    facts.checkpoints[1].loss = nan_value;
  }
  EXPECT_THAT(finding(facts, "Loss"), HasSubstr("It is not finite at b, b, b and 2 more."));
}

}  // namespace
}  // namespace moescope
