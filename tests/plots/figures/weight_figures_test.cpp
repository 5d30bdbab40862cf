#include "plots/figures/weight_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/plots/figures/figures_fixture.h"

namespace moescope {
namespace {

using WeightFigures = FiguresTest;

TEST_F(WeightFigures, UpdatesPerTokenAreDrawnAtTheLaterCheckpoint) {
  const Figure figure = build_figure(sample(), "weight_update_rate");
  const Series& embedding = figure.panels.at(0).series.at(0);
  EXPECT_TRUE(std::isnan(embedding.y[0]));
  EXPECT_DOUBLE_EQ(embedding.y[1], 1e-3);  // 1e-15 for each of a trillion
  EXPECT_DOUBLE_EQ(embedding.y[2], 0.5e-3);
}

}  // namespace
}  // namespace moescope
