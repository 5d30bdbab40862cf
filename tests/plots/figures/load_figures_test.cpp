#include "plots/figures/load_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/plots/figures/figures_fixture.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

using LoadFigures = FiguresTest;

TEST_F(LoadFigures, LoadHeatmapShowsTheLastCheckpointOfEveryDomain) {
  const Figure figure = build_figure(sample(), "load_heatmap");
  EXPECT_THAT(figure.title, HasSubstr("tiny-3T"));
  ASSERT_THAT(figure.panels, SizeIs(2));
  EXPECT_EQ(figure.panels[1].title, "math");
  EXPECT_THAT(figure.panels[0].heatmap->row_labels, ElementsAre("1", "2"));
  EXPECT_THAT(figure.panels[0].heatmap->column_labels, SizeIs(8));
  EXPECT_THAT(figure.panels[0].heatmap->values, testing::ElementsAreArray({0, 2, 1, 1, 1, 1, 1, 1,  //
                                                                           0, 2, 1, 1, 1, 1, 1, 1}));
}

TEST_F(LoadFigures, ACheckpointAndADomainCanBeChosen) {
  const Figure figure =
      build_figure(sample(), "load_heatmap", {.checkpoint = "tiny-1T", .domain = "math", .layer = {}});
  EXPECT_THAT(figure.title, HasSubstr("tiny-1T"));
  ASSERT_THAT(figure.panels, SizeIs(1));
  EXPECT_EQ(figure.panels[0].title, "math");
}

TEST_F(LoadFigures, NamesMayBeGivenAsFiguresShowThem) {
  const Figure figure =
      build_figure(sample(), "load_heatmap", {.checkpoint = "1T", .domain = {}, .layer = {}});
  EXPECT_THAT(figure.title, HasSubstr("tiny-1T"));
}

}  // namespace
}  // namespace moescope
