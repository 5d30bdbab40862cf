#include "metrics/entry/metric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace moescope {
namespace {

TEST(Metric, PooledIsTheSameComputationWithoutDomains) {
  const Metric by_domain = {.name = "surprise",
                            .axes = {"checkpoint", "domain", "moe_layer"},
                            .computation = OfTokens{"/routing/entropy"},
                            .upper_bound = 2.0,
                            .figures = {{.id = "surprise"}}};
  const Metric all = pooled(by_domain, "Surprise, all domains", "How much.");
  EXPECT_EQ(all.name, "surprise_pooled");
  EXPECT_THAT(all.axes, testing::ElementsAre("checkpoint", "moe_layer"));
  EXPECT_EQ(std::get<OfTokens>(all.computation).dataset, "/routing/entropy");
  EXPECT_EQ(all.upper_bound.at({}), 2);
  EXPECT_TRUE(all.figures.empty()) << "the figure of the metric shows it";
}

TEST(Metric, ItsComputationTellsWhatOfTheRecordItNeeds) {
  EXPECT_FALSE(is_from_weights({.computation = OfLosses{}}));
  EXPECT_TRUE(is_from_weights({.computation = OfProducts{}}));
  EXPECT_TRUE(is_from_weights({.computation = OfSketches{}}));
  EXPECT_FALSE(is_from_sketches({.computation = OfProducts{}}));
}

}  // namespace
}  // namespace moescope
