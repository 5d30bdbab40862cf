#include "plots/figures/path_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "readers/errors.h"
#include "tests/plots/figures/figures_fixture.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

using PathFigures = FiguresTest;

TEST_F(PathFigures, TheTrajectoryIsAPlaneInUnitsOfTheWayFromFirstToLast) {
  const Figure figure = build_figure(sample(), "weight_trajectory");
  EXPECT_TRUE(figure.plane);
  ASSERT_THAT(figure.panels, SizeIs(4));  // the foremost roles, as the model has them all
  EXPECT_THAT(figure.panels[0].title, HasSubstr("whole model: 50 % + 25 %"));
  EXPECT_THAT(figure.panels[1].title, HasSubstr("router"));
  const Series& line = figure.panels[0].series.at(0);
  EXPECT_TRUE(line.total);
  EXPECT_THAT(line.point_labels, ElementsAre("0T", "1T", "2T", "3T"));
  const double unit = std::hypot(3, 9.0 / 4);  // from (0, 0) to (3, 9/4), sample_run.h
  EXPECT_DOUBLE_EQ(line.x[3] - line.x[0], 3 / unit);
  EXPECT_DOUBLE_EQ(line.y[2] - line.y[0], 1 / unit);
}

TEST_F(PathFigures, DirectionsOfUpdatesLeaveOutEachStepWithItself) {
  const Figure figure = build_figure(sample(), "update_direction");
  ASSERT_THAT(figure.panels, SizeIs(2));
  EXPECT_EQ(figure.panels[0].title, "whole model");
  const Heatmap& map = *figure.panels[0].heatmap;
  EXPECT_THAT(map.row_labels, ElementsAre("0T to 1T", "1T to 2T", "2T to 3T"));
  EXPECT_TRUE(std::isnan(map.values[0]));
  EXPECT_DOUBLE_EQ(map.values[1], 0.5);
  EXPECT_DOUBLE_EQ(map.values[2], 0);
  EXPECT_DOUBLE_EQ(*figure.color_scale->centre, 0);
  EXPECT_DOUBLE_EQ(figure.color_scale->maximum, 0.5);
}

TEST_F(PathFigures, PathsAreRelativeToTheNormAtTheFirstCheckpoint) {
  const Figure figure = build_figure(sample(), "weight_path_length");
  const Series& whole = figure.panels.at(0).series.back();
  EXPECT_EQ(whole.label, "whole model");
  EXPECT_TRUE(whole.total);
  EXPECT_FALSE(figure.panels[0].series[0].total);
  EXPECT_THAT(whole.y, ElementsAre(0, 1, 2, 3));  // 2 c (1 + role) / 10, role 4
}

TEST_F(PathFigures, TwoCheckpointsHaveNoChangeOfDirection) {
  SampleRun two;
  two.checkpoints = {"a", "b"};
  two.tokens = {1e12, 2e12};
  const RunFile run = sample(two);
  EXPECT_THROW(build_figure(run, "update_direction"), FormatError);
  EXPECT_THROW(build_figure(run, "weight_trajectory"), FormatError);
  EXPECT_THAT(build_figure(run, "weight_path_length").panels[0].series[0].y, SizeIs(2));
}

}  // namespace
}  // namespace moescope
