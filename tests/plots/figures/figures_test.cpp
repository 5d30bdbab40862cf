#include "plots/figures/figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "metrics/catalogue/catalogue.h"
#include "readers/errors.h"
#include "tests/plots/figures/figures_fixture.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST_F(FiguresTest, EveryFigureOfTheTableCanBeBuiltAndExplainsItself) {
  const RunFile run = sample();
  for (const FigureEntry& entry : figure_table()) {
    SCOPED_TRACE(entry.id);
    EXPECT_EQ(figure_unavailable(run, entry), "");
    const Figure figure = build_figure(run, entry.id);
    EXPECT_EQ(figure.id, entry.id);
    EXPECT_THAT(figure.title, Not(IsEmpty()));
    EXPECT_THAT(figure.caption, HasSubstr("."));
    EXPECT_THAT(figure.formula, Not(IsEmpty()));
    EXPECT_THAT(figure.source, Not(IsEmpty()));
    EXPECT_THAT(figure.panels, Not(IsEmpty()));
  }
}

TEST_F(FiguresTest, EveryFigureOfAMetricsEntryIsInTheTable) {
  for (const Metric& metric : metric_catalogue()) {
    for (const MetricFigure& figure : metric.figures) {
      EXPECT_EQ(std::ranges::count(figure_table(), figure.id, &FigureEntry::id), 1) << figure.id;
    }
  }
}

TEST_F(FiguresTest, EveryFigureHasAnIdOfItsOwn) {
  for (const FigureEntry& entry : figure_table())
    EXPECT_EQ(std::ranges::count(figure_table(), entry.id, &FigureEntry::id), 1) << entry.id;
}

TEST_F(FiguresTest, EveryExplorerHasAValueForEachCellThatCanBeChosen) {
  const RunFile run = sample();
  for (const FigureEntry& entry : figure_table()) {
    const std::optional<HeatmapExplorer> explorer = explorer_of(run, entry);
    if (!explorer) continue;
    SCOPED_TRACE(entry.id);
    EXPECT_EQ(explorer->id, entry.id);
    std::size_t cells = explorer->row_labels.size() * explorer->column_labels.size();
    for (const Selector& selector : explorer->selectors) cells *= selector.labels.size();
    EXPECT_EQ(explorer->values.size(), cells);
  }
}

// Of every figure and every choice: it shows in the figure, or it is refused.
TEST_F(FiguresTest, WhatAFigureCannotChooseIsRefused) {
  const RunFile run = sample();
  struct Case {
    FigureChoice choice;
    unsigned selection;
  };
  const Case cases[] = {{{.checkpoint = "tiny-1T", .domain = {}, .layer = {}}, selects_checkpoint},
                        {{.checkpoint = {}, .domain = "math", .layer = {}}, selects_domain},
                        {{.checkpoint = {}, .domain = {}, .layer = "2"}, selects_moe_layer | selects_layer}};
  for (const FigureEntry& entry : figure_table()) {
    for (const auto& [choice, selection] : cases) {
      SCOPED_TRACE(entry.id + " " + choice.checkpoint + choice.domain + choice.layer);
      if (entry.selects & selection) {
        EXPECT_NE(build_figure(run, entry.id, choice).title, build_figure(run, entry.id).title);
      } else {
        const FigureChoice& wrong = choice;  // clang 14 does not capture a structured binding
        EXPECT_THAT([&] { build_figure(run, entry.id, wrong); },
                    testing::ThrowsMessage<UsageError>(HasSubstr("chooses nothing there")));
      }
    }
  }
}

TEST_F(FiguresTest, ALayerCanBeChosenByItsNumber) {
  const RunFile run = sample();
  const FigureChoice second = {.checkpoint = {}, .domain = {}, .layer = "2"};
  const Figure lines = build_figure(run, "max_violation", second);
  ASSERT_THAT(lines.panels[0].series, SizeIs(1));
  EXPECT_EQ(lines.panels[0].series[0].label, "layer 2");
  EXPECT_EQ(lines.panels[0].series[0].y, build_figure(run, "max_violation").panels[0].series[1].y);
  EXPECT_THAT(build_figure(run, "load_heatmap", second).panels[0].heatmap->row_labels, ElementsAre("2"));
  EXPECT_THAT(build_figure(run, "drift_heatmap", second).panels[0].heatmap->column_labels, ElementsAre("2"));
  EXPECT_THAT(build_figure(run, "max_violation_by_domain", second).y.label, HasSubstr("layer 2"));
  EXPECT_THROW(build_figure(run, "max_violation", {.checkpoint = {}, .domain = {}, .layer = "7"}),
               UsageError);
}

TEST_F(FiguresTest, AMisspeltFigureSuggestsTheClosest) {
  const RunFile run = sample();
  try {
    build_figure(run, "saturation");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.hint(), HasSubstr("did you mean router_saturation"));
  }
}

TEST_F(FiguresTest, NothingButZerosIsKnownAsSuch) {
  SampleRun still;
  still.still = true;
  const RunFile run = sample(still);
  for (const char* id : {"dead_experts", "weight_drift", "drift_heatmap", "weight_trajectory"})
    EXPECT_TRUE(is_all_zero(build_figure(run, id))) << id;
  EXPECT_FALSE(is_all_zero(build_figure(run, "loss")));
  EXPECT_FALSE(is_all_zero(Figure())) << "no number is not zero";
}

TEST_F(FiguresTest, AnAbsentDatasetIsTheReasonWhyAFigureCannotBeDrawn) {
  SampleRun weights_only;
  weights_only.forward = false;
  const RunFile run = sample(weights_only);
  const auto reason = [&](const std::string& id) {
    for (const FigureEntry& entry : figure_table()) {
      if (entry.id == id) return figure_unavailable(run, entry);
    }
    return std::string("no such figure");
  };
  EXPECT_EQ(reason("loss"), "the run file holds no /metrics/loss");
  EXPECT_EQ(reason("weight_drift"), "");
  EXPECT_THROW(build_figure(run, "loss"), FormatError);
}

TEST_F(FiguresTest, OneCheckpointHasNoDrift) {
  SampleRun one;
  one.checkpoints = {"only"};
  one.tokens = {1e12};
  const RunFile run = sample(one);
  EXPECT_THROW(build_figure(run, "weight_drift"), FormatError);
  EXPECT_THAT(build_figure(run, "loss").panels[0].series[0].x, ElementsAre(1));
}

TEST_F(FiguresTest, AnUnknownFigureCheckpointOrDomainIsAUsageErrorThatNamesTheKnown) {
  const RunFile run = sample();
  EXPECT_THROW(build_figure(run, "los"), UsageError);
  EXPECT_THROW(build_figure(run, "load_heatmap", {.checkpoint = "none", .domain = {}, .layer = {}}),
               UsageError);
  try {
    build_figure(run, "load_heatmap", {.checkpoint = {}, .domain = "none", .layer = {}});
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_EQ(error.hint(), "known: prose, math");
  }
}

}  // namespace
}  // namespace moescope
