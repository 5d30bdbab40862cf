#include "plots/figures/pair_maps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/plots/figures/figures_fixture.h"

namespace moescope {
namespace {

using PairMaps = FiguresTest;

TEST_F(PairMaps, CompareEachCheckpointWithEachInColoursFromChanceToTheUpperBound) {
  const Figure figure = build_figure(sample(), "routing_agreement");
  const Heatmap& map = *figure.panels.at(0).heatmap;
  EXPECT_THAT(map.row_labels, testing::ElementsAre("0T", "1T", "2T", "3T"));
  EXPECT_EQ(map.column_labels, map.row_labels);
  EXPECT_DOUBLE_EQ(map.values[0], 1);
  EXPECT_DOUBLE_EQ(map.values[3], 1 - 3.0 / 8);  // sample_run.h: 1 - gap / (2 C)
  EXPECT_DOUBLE_EQ(figure.color_scale->minimum, 0.25);
  EXPECT_DOUBLE_EQ(figure.color_scale->maximum, 1);
}

TEST_F(PairMaps, AreExploredByLayerWithTheMeanOfAllFirst) {
  const RunFile run = sample();
  for (const FigureEntry& entry : figure_table()) {
    if (entry.id != "routing_agreement") continue;
    const HeatmapExplorer explorer = explorer_of(run, entry).value();
    EXPECT_THAT(explorer.selectors.at(1).labels, testing::ElementsAre("mean of all", "1", "2"));
    EXPECT_FLOAT_EQ(explorer.values.at(3), 1 - 3.0F / 8);
  }
}

}  // namespace
}  // namespace moescope
