#include "plots/figures/expert_drift_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/plots/figures/figures_fixture.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using ExpertDriftFigures = FiguresTest;

TEST_F(ExpertDriftFigures, ExpertDriftIsMeasuredFromTheFirstCheckpoint) {
  const Figure figure =
      build_figure(sample(), "expert_drift", {.checkpoint = "tiny-2T", .domain = {}, .layer = {}});
  EXPECT_THAT(figure.title, HasSubstr("from 0T to tiny-2T"));
  const Heatmap& map = *figure.panels.at(0).heatmap;
  EXPECT_THAT(map.row_labels, ElementsAre("1", "2"));
  EXPECT_DOUBLE_EQ(map.values[3], 0.2 * 1.3);  // expert 3 of the first MoE layer
}

}  // namespace
}  // namespace moescope
