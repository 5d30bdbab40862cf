#include "plots/findings/router_finding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metrics/entry/metric_names.h"
#include "tests/plots/findings/plain_run.h"

namespace moescope {
namespace {

using testing::HasSubstr;

TEST(RouterFinding, OneExpertHasNoEntropyOfItsMaximum) {
  ReportFacts facts = plain_run();
  facts.labels.experts = {"0"};
  facts.experts_per_token = 1;
  for (CheckpointFacts& checkpoint : facts.checkpoints)
    checkpoint.summaries[metric::router_entropy] = layers({nan_value, nan_value});
  EXPECT_THAT(finding(facts, "Each layer"), HasSubstr("has one routed expert, which takes every token"));
  EXPECT_EQ(finding(facts, "Router"), "");
}

}  // namespace
}  // namespace moescope
