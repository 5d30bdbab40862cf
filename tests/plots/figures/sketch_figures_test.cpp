#include "plots/figures/sketch_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "readers/errors.h"
#include "tests/plots/figures/figures_fixture.h"

namespace moescope {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

using SketchFigures = FiguresTest;

// Roles of the sample: attention is the second, routed experts the fourth, all of them the fifth.
TEST_F(SketchFigures, DriftBySketchStandsBesideTheExactOneWithABandOfTwoStandardErrors) {
  const Figure figure = build_figure(sample(), "sketched_drift");
  ASSERT_THAT(figure.panels, SizeIs(4));
  EXPECT_EQ(figure.panels[0].title, "whole model");
  EXPECT_EQ(figure.panels[2].title, "attention");
  const std::vector<Series>& lines = figure.panels[2].series;
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines[0].y,
              ElementsAre(0, DoubleNear(0.2, 1e-12), DoubleNear(0.4, 1e-12), DoubleNear(0.6, 1e-12)));
  EXPECT_NEAR(lines[1].y[3], 0.6 * 1.01, 1e-12);
  EXPECT_NEAR(lines[1].low[3], 0.6 * 0.97, 1e-12);
  EXPECT_NEAR(lines[1].high[3], 0.6 * 1.05, 1e-12);
  EXPECT_THAT(figure.caption, HasSubstr("ESTIMATE"));
}

TEST_F(SketchFigures, DriftBySketchIsShownRelativeToTheExactOne) {
  const Figure figure = build_figure(sample(), "sketched_drift_ratio");
  const Series& line = figure.panels[1].series[0];
  EXPECT_TRUE(std::isnan(line.y[0]));  // nothing has moved yet
  EXPECT_NEAR(line.y[2], 1.01, 1e-12);
  EXPECT_NEAR(line.low[2], 0.97, 1e-12);
  EXPECT_NEAR(line.high[2], 1.05, 1e-12);
}

}  // namespace
}  // namespace moescope
