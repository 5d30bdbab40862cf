#include "plots/figures/spectrum_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/plots/figures/figures_fixture.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

using SpectrumFigures = FiguresTest;

TEST_F(SpectrumFigures, TheRankOfARandomMatrixIsThatOfItsSizeAndNotOfInfinite) {
  // Means of 20,000 draws by numpy: 16 x 64 7.811 +- 0.004, 4 x 64 2.969 +- 0.002 (asymptotic: 7.111, 2.56).
  const std::pair<std::int64_t, double> drawn[] = {{16, 7.811}, {4, 2.969}};
  for (const auto& [experts, rank] : drawn) {
    SampleRun many;
    many.experts = experts;
    EXPECT_NEAR(build_figure(sample(many), "router_stable_rank").references.at(0).value, rank, 0.01 * rank);
  }
}

TEST_F(SpectrumFigures, RanksOfTheRoutersStandBesideThoseOfARandomMatrix) {
  const Figure figure = build_figure(sample(), "router_stable_rank");
  ASSERT_THAT(figure.panels[0].series, SizeIs(2));  // the MoE layers
  EXPECT_THAT(figure.panels[0].series[1].y, ElementsAre(2.1, 3.1, 4.1, 5.1));
  // Mean of 20,000 draws of 8 x 64 normal numbers by numpy: 4.917 +- 0.003; the asymptotic value is 4.367.
  EXPECT_NEAR(figure.references.at(0).value, 4.917, 0.005 * 4.917);
  EXPECT_EQ(figure.references.at(1).label, "upper bound 8");
  const Figure effective = build_figure(sample(), "router_effective_rank");
  EXPECT_THAT(effective.panels.at(0).series[0].y, ElementsAre(4, 6, 8, 10));
  EXPECT_EQ(effective.references.at(0).label, "upper bound 8");
}

TEST_F(SpectrumFigures, AlphaIsThatOfTheExpertsThatWereMeasured) {
  const Figure figure = build_figure(sample(), "expert_alpha");
  ASSERT_THAT(figure.panels.at(0).series, SizeIs(2));
  EXPECT_THAT(figure.panels[0].series[0].y, ElementsAre(4, 3.9, 3.8, 3.7));
}

TEST_F(SpectrumFigures, RouterRowsAreComparedWithAllButThemselves) {
  const Figure figure =
      build_figure(sample(), "router_row_cosine", {.checkpoint = "tiny-1T", .domain = {}, .layer = {}});
  EXPECT_THAT(figure.title, HasSubstr("tiny-1T"));
  ASSERT_THAT(figure.panels, SizeIs(2));  // of two layers there is no middle one
  const Heatmap& map = *figure.panels[0].heatmap;
  EXPECT_TRUE(std::isnan(map.values[0]));
  EXPECT_FLOAT_EQ(static_cast<float>(map.values[1]), 0.9f);
  EXPECT_FLOAT_EQ(static_cast<float>(figure.color_scale->maximum), 0.9f);
}

}  // namespace
}  // namespace moescope
