#include "metrics/catalogue/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

namespace moescope {
namespace {

TEST(Catalogue, NamesAreUnique) {
  std::set<std::string> names;
  for (const Metric& info : metric_catalogue()) EXPECT_TRUE(names.insert(info.name).second) << info.name;
}

TEST(Catalogue, NamesAreSnakeCase) {
  for (const Metric& info : metric_catalogue())
    EXPECT_THAT(info.name, testing::MatchesRegex("[a-z][a-z0-9_]*"));
}

TEST(Catalogue, EveryMetricExplainsItself) {
  for (const Metric& info : metric_catalogue()) {
    EXPECT_FALSE(info.long_name.empty() || info.unit.empty() || info.formula.empty() || info.source.empty())
        << info.name;
    EXPECT_THAT(info.description, testing::EndsWith(".")) << info.name;
    EXPECT_FALSE(info.axes.empty()) << info.name;
  }
}

TEST(Catalogue, AxesAreDimensionsOfTheRunFileEachUsedOnce) {
  const std::set<std::string> dimensions = {"checkpoint",      "other_checkpoint",
                                            "checkpoint_step", "other_checkpoint_step",
                                            "component",       "domain",
                                            "layer",           "moe_layer",
                                            "expert",          "role",
                                            "quantile"};
  for (const Metric& info : metric_catalogue()) {
    const std::set<std::string> axes(info.axes.begin(), info.axes.end());
    EXPECT_EQ(axes.size(), info.axes.size()) << info.name;
    for (const std::string& axis : axes) EXPECT_TRUE(dimensions.contains(axis)) << info.name << ": " << axis;
  }
}

TEST(Catalogue, IsFoundByName) {
  EXPECT_EQ(metric_named("load_cv").name, "load_cv");
  EXPECT_THAT(metric_named("router_saturation").axes, testing::ElementsAre("checkpoint", "moe_layer"));
}

TEST(Catalogue, AnUnknownNameIsAnError) {
  EXPECT_THROW(metric_named("beauty"), std::out_of_range);
}

}  // namespace
}  // namespace moescope
