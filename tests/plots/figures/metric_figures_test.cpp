#include "plots/figures/metric_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/plots/figures/figures_fixture.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using MetricFigures = FiguresTest;

TEST_F(MetricFigures, SaturationIsComparedWithTheLastCheckpointByNameAndNotWithTheEndOfTraining) {
  for (const char* id : {"router_saturation", "router_saturation_top1"}) {
    const Figure figure = build_figure(sample(), id);
    EXPECT_THAT(figure.y.label, HasSubstr("as at 3T"));
    EXPECT_THAT(figure.caption, HasSubstr("3T, the last checkpoint of this run"));
    EXPECT_THAT(figure.caption + figure.y.label, Not(HasSubstr("final")));
  }
}

TEST_F(MetricFigures, SaturationNamesItsChanceLevel) {
  const Figure figure = build_figure(sample(), "router_saturation");
  EXPECT_EQ(figure.references.at(0).label, "chance 0.25");
  EXPECT_DOUBLE_EQ(figure.panels[0].series[0].y[3], 1);
  EXPECT_EQ(figure.line_colors, LineColors::sequence);
  EXPECT_THAT(figure.color_key, ElementsAre("1", "2"));
}

}  // namespace
}  // namespace moescope
