#include "plots/figures/drift_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "readers/errors.h"
#include "tests/plots/figures/figures_fixture.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

using DriftFigures = FiguresTest;

TEST_F(DriftFigures, TheFirstCheckpointHasNoDriftToShow) {
  EXPECT_THROW(build_figure(sample(), "drift_heatmap", {.checkpoint = "tiny-0T", .domain = {}, .layer = {}}),
               UsageError);
}

TEST_F(DriftFigures, DriftIsShownSinceTheFirstAndSinceThePreviousCheckpoint) {
  const Figure figure = build_figure(sample(), "drift_heatmap");
  ASSERT_THAT(figure.panels, SizeIs(2));
  EXPECT_EQ(figure.panels[0].title, "since 0T");
  EXPECT_EQ(figure.panels[1].title, "since 2T");
  const Heatmap& first = *figure.panels[0].heatmap;
  EXPECT_THAT(first.row_labels,
              ElementsAre("embedding", "attention", "router", "routed expert", "whole model"));
  EXPECT_THAT(first.column_labels, ElementsAre("0", "1", "2", "all"));
  EXPECT_TRUE(std::isnan(first.values[0]));  // the embedding is in no layer
  EXPECT_DOUBLE_EQ(first.values[3], 0.3);    // but it is a whole
  EXPECT_DOUBLE_EQ(first.values[4 + 1], 0.3 * 2);
}

}  // namespace
}  // namespace moescope
