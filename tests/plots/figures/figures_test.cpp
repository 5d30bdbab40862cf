#include "plots/figures/figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "metrics/catalogue/catalogue.h"
#include "plots/figure/layout.h"
#include "readers/errors.h"
#include "readers/run_file/run_file.h"
#include "tests/plots/sample_run.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class FiguresTest : public testing::Test {
 protected:
  RunFile sample(const SampleRun& what = {}) const {
    write_sample_run(directory / "run.h5", what);
    return RunFile::open(directory / "run.h5");
  }

  const TemporaryDirectory directory;
};

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

TEST_F(FiguresTest, LossHasOneLinePerDomainAgainstTrillionsOfTokens) {
  const Figure figure = build_figure(sample(), "loss");
  ASSERT_THAT(figure.panels, SizeIs(1));
  ASSERT_THAT(figure.panels[0].series, SizeIs(2));
  const Series& math = figure.panels[0].series[1];
  EXPECT_EQ(math.label, "math");
  EXPECT_THAT(math.x, ElementsAre(0, 1, 2, 3));
  EXPECT_DOUBLE_EQ(math.y[2], 3 + std::exp(-2.0));  // sample_run.h
  EXPECT_EQ(figure.x.tick_suffix, " T");
}

TEST_F(FiguresTest, CheckpointsWithoutTokensOrStepsStandOneAfterAnother) {
  SampleRun unknown;
  unknown.tokens.assign(4, std::nan(""));
  const Figure figure = build_figure(sample(unknown), "loss");
  EXPECT_THAT(figure.panels[0].series[0].x, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(figure.x.tick_labels, ElementsAre("0T", "1T", "2T", "3T"));
}

TEST_F(FiguresTest, LoadHeatmapShowsTheLastCheckpointOfEveryDomain) {
  const Figure figure = build_figure(sample(), "load_heatmap");
  EXPECT_THAT(figure.title, HasSubstr("tiny-3T"));
  ASSERT_THAT(figure.panels, SizeIs(2));
  EXPECT_EQ(figure.panels[1].title, "math");
  EXPECT_THAT(figure.panels[0].heatmap->row_labels, ElementsAre("1", "2"));
  EXPECT_THAT(figure.panels[0].heatmap->column_labels, SizeIs(8));
  EXPECT_THAT(figure.panels[0].heatmap->values, testing::ElementsAreArray({0, 2, 1, 1, 1, 1, 1, 1,  //
                                                                           0, 2, 1, 1, 1, 1, 1, 1}));
}

TEST_F(FiguresTest, ACheckpointAndADomainCanBeChosen) {
  const Figure figure =
      build_figure(sample(), "load_heatmap", {.checkpoint = "tiny-1T", .domain = "math", .layer = {}});
  EXPECT_THAT(figure.title, HasSubstr("tiny-1T"));
  ASSERT_THAT(figure.panels, SizeIs(1));
  EXPECT_EQ(figure.panels[0].title, "math");
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
        EXPECT_THAT([&] { build_figure(run, entry.id, choice); },
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

TEST_F(FiguresTest, NamesMayBeGivenAsFiguresShowThem) {
  const Figure figure =
      build_figure(sample(), "load_heatmap", {.checkpoint = "1T", .domain = {}, .layer = {}});
  EXPECT_THAT(figure.title, HasSubstr("tiny-1T"));
}

TEST_F(FiguresTest, TheFirstCheckpointHasNoDriftToShow) {
  EXPECT_THROW(build_figure(sample(), "drift_heatmap", {.checkpoint = "tiny-0T", .domain = {}, .layer = {}}),
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

TEST_F(FiguresTest, MaxVioByLayerTakesAllDomainsTogetherUnlessOneIsChosen) {
  const RunFile run = sample();
  const Figure pooled = build_figure(run, "max_violation");
  EXPECT_DOUBLE_EQ(pooled.panels[0].series[1].y[1], (0.5 + 0.1) / 2);
  const Figure math = build_figure(run, "max_violation", {.checkpoint = {}, .domain = "math", .layer = {}});
  EXPECT_DOUBLE_EQ(math.panels[0].series[1].y[1], 0.5 + 0.1);
  EXPECT_THAT(math.title, HasSubstr("math"));
}

TEST_F(FiguresTest, TheRankOfARandomMatrixIsThatOfItsSizeAndNotOfInfinite) {
  // Means of 20,000 draws by numpy: 16 x 64 7.811 +- 0.004, 4 x 64 2.969 +- 0.002 (asymptotic: 7.111, 2.56).
  const std::pair<std::int64_t, double> drawn[] = {{16, 7.811}, {4, 2.969}};
  for (const auto& [experts, rank] : drawn) {
    SampleRun many;
    many.experts = experts;
    EXPECT_NEAR(build_figure(sample(many), "router_stable_rank").references.at(0).value, rank, 0.01 * rank);
  }
}

TEST_F(FiguresTest, RandomRoutingIsALineOfAllTokensAndABandOverDomains) {
  const RunFile run = sample();
  const auto reference = [](const Figure& figure) -> Reference {
    for (const Reference& one : figure.references) {
      if (one.label.starts_with("random routing")) return one;
    }
    return {NAN, "none"};
  };
  EXPECT_EQ(reference(build_figure(run, "max_violation")).label, "random routing 0.15");
  const Reference math =
      reference(build_figure(run, "max_violation", {.checkpoint = {}, .domain = "math", .layer = {}}));
  EXPECT_EQ(math.label, "random routing 0.4");
  EXPECT_FALSE(math.high);
  const Reference dead = reference(build_figure(run, "dead_experts"));
  EXPECT_EQ(dead.label, "random routing 0.1 to 0.2, by domain");
  EXPECT_DOUBLE_EQ(dead.value, 0.1);
  EXPECT_DOUBLE_EQ(dead.high.value(), 0.2);
  EXPECT_EQ(reference(build_figure(run, "max_violation_by_domain")).label,
            "random routing 0.2 to 0.4, by domain");
  EXPECT_EQ(reference(build_figure(run, "top1_share")).label, "none");
}

TEST_F(FiguresTest, CaptionsOfSharesSpeakOfShares) {
  const RunFile run = sample();
  for (const char* id : {"router_entropy", "router_entropy_by_domain"}) {
    const Figure figure = build_figure(run, id);
    EXPECT_THAT(figure.caption, HasSubstr("as a share of the highest entropy ln E: 1 is no preference"));
    EXPECT_THAT(figure.caption, Not(HasSubstr("ln E is no preference")));
    EXPECT_THAT(figure.formula, HasSubstr("/ ln E"));
  }
  const Figure rate = build_figure(run, "weight_update_rate");
  EXPECT_THAT(rate.caption, HasSubstr("moved per trillion tokens"));
  EXPECT_THAT(rate.caption, Not(HasSubstr("each token")));
}

TEST_F(FiguresTest, SaturationIsComparedWithTheLastCheckpointByNameAndNotWithTheEndOfTraining) {
  for (const char* id : {"router_saturation", "router_saturation_top1"}) {
    const Figure figure = build_figure(sample(), id);
    EXPECT_THAT(figure.y.label, HasSubstr("as at 3T"));
    EXPECT_THAT(figure.caption, HasSubstr("3T, the last checkpoint of this run"));
    EXPECT_THAT(figure.caption + figure.y.label, Not(HasSubstr("final")));
  }
}

TEST_F(FiguresTest, TokensThatAreThoseOfTheNamesSaySo) {
  EXPECT_EQ(build_figure(sample(), "loss").x.label, "training tokens, as named");
  EXPECT_THAT(build_figure(sample(), "weight_update_rate").caption,
              HasSubstr("as the checkpoints' names do"));
  SampleRun told;
  told.tokens = {0, 552960, 1105920, 1658880};  // as a series file tells them
  const RunFile run = sample(told);
  EXPECT_EQ(build_figure(run, "loss").x.label, "training tokens");
  EXPECT_THAT(build_figure(run, "weight_update_rate").caption, Not(HasSubstr("names")));
}

TEST_F(FiguresTest, AMeanOverFewerLayersSaysSo) {
  SampleRun broken;
  broken.broken = true;
  const RunFile whole = sample();
  const std::vector<std::string> means = {"max_violation_by_domain", "dead_experts",
                                          "router_entropy_by_domain", "routing_agreement"};
  for (const std::string& id : means)
    EXPECT_THAT(build_figure(whole, id).caption, Not(HasSubstr("no value")));
  const RunFile run = sample(broken);
  for (const std::string& id : means) {
    EXPECT_THAT(build_figure(run, id).caption,
                HasSubstr("Where a layer has no value, the mean is over the others: at tiny-3T"));
    EXPECT_THAT(build_figure(run, id).caption, HasSubstr("over 1 of 2."));
  }
}

TEST_F(FiguresTest, ARouterWithOneExpertHasNoEntropyToShow) {
  SampleRun one;
  one.experts = one.chosen = 1;
  const RunFile run = sample(one);
  for (const char* id : {"router_entropy", "router_entropy_by_domain"})
    EXPECT_THROW(build_figure(run, id), FormatError) << id;
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

TEST_F(FiguresTest, MassOnTheChosenExpertsTakesTheAxisThatItNeeds) {
  const Figure figure = build_figure(sample(), "topk_mass");
  EXPECT_FALSE(figure.y.minimum);
  EXPECT_FALSE(figure.y.maximum);
}

TEST_F(FiguresTest, RouterEntropyIsDividedByItsMaximum) {
  const Figure figure = build_figure(sample(), "router_entropy");
  EXPECT_DOUBLE_EQ(figure.panels[0].series[0].y[0], 1);
  EXPECT_DOUBLE_EQ(figure.panels[0].series[0].y[2], 0.75);
  ASSERT_THAT(figure.references, SizeIs(1));
  EXPECT_EQ(figure.references[0].label, "upper bound 1");
}

TEST_F(FiguresTest, SaturationNamesItsChanceLevel) {
  const Figure figure = build_figure(sample(), "router_saturation");
  EXPECT_EQ(figure.references.at(0).label, "chance 0.25");
  EXPECT_DOUBLE_EQ(figure.panels[0].series[0].y[3], 1);
  EXPECT_EQ(figure.line_colors, LineColors::sequence);
  EXPECT_THAT(figure.color_key, ElementsAre("1", "2"));
}

TEST_F(FiguresTest, DriftIsShownSinceTheFirstAndSinceThePreviousCheckpoint) {
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

TEST_F(FiguresTest, TheTrajectoryIsAPlaneInUnitsOfTheWayFromFirstToLast) {
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

TEST_F(FiguresTest, DirectionsOfUpdatesLeaveOutEachStepWithItself) {
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

TEST_F(FiguresTest, PathsAreRelativeToTheNormAtTheFirstCheckpoint) {
  const Figure figure = build_figure(sample(), "weight_path_length");
  const Series& whole = figure.panels.at(0).series.back();
  EXPECT_EQ(whole.label, "whole model");
  EXPECT_TRUE(whole.total);
  EXPECT_FALSE(figure.panels[0].series[0].total);
  EXPECT_THAT(whole.y, ElementsAre(0, 1, 2, 3));  // 2 c (1 + role) / 10, role 4
}

TEST_F(FiguresTest, UpdatesPerTokenAreDrawnAtTheLaterCheckpoint) {
  const Figure figure = build_figure(sample(), "weight_update_rate");
  const Series& embedding = figure.panels.at(0).series.at(0);
  EXPECT_TRUE(std::isnan(embedding.y[0]));
  EXPECT_DOUBLE_EQ(embedding.y[1], 1e-3);  // 1e-15 for each of a trillion
  EXPECT_DOUBLE_EQ(embedding.y[2], 0.5e-3);
}

TEST_F(FiguresTest, ExpertDriftIsMeasuredFromTheFirstCheckpoint) {
  const Figure figure =
      build_figure(sample(), "expert_drift", {.checkpoint = "tiny-2T", .domain = {}, .layer = {}});
  EXPECT_THAT(figure.title, HasSubstr("from 0T to tiny-2T"));
  const Heatmap& map = *figure.panels.at(0).heatmap;
  EXPECT_THAT(map.row_labels, ElementsAre("1", "2"));
  EXPECT_DOUBLE_EQ(map.values[3], 0.2 * 1.3);  // expert 3 of the first MoE layer
}

TEST_F(FiguresTest, TwoCheckpointsHaveNoChangeOfDirection) {
  SampleRun two;
  two.checkpoints = {"a", "b"};
  two.tokens = {1e12, 2e12};
  const RunFile run = sample(two);
  EXPECT_THROW(build_figure(run, "update_direction"), FormatError);
  EXPECT_THROW(build_figure(run, "weight_trajectory"), FormatError);
  EXPECT_THAT(build_figure(run, "weight_path_length").panels[0].series[0].y, SizeIs(2));
}

TEST_F(FiguresTest, RanksOfTheRoutersStandBesideThoseOfARandomMatrix) {
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

TEST_F(FiguresTest, AlphaIsThatOfTheExpertsThatWereMeasured) {
  const Figure figure = build_figure(sample(), "expert_alpha");
  ASSERT_THAT(figure.panels.at(0).series, SizeIs(2));
  EXPECT_THAT(figure.panels[0].series[0].y, ElementsAre(4, 3.9, 3.8, 3.7));
}

TEST_F(FiguresTest, RouterRowsAreComparedWithAllButThemselves) {
  const Figure figure =
      build_figure(sample(), "router_row_cosine", {.checkpoint = "tiny-1T", .domain = {}, .layer = {}});
  EXPECT_THAT(figure.title, HasSubstr("tiny-1T"));
  ASSERT_THAT(figure.panels, SizeIs(2));  // of two layers there is no middle one
  const Heatmap& map = *figure.panels[0].heatmap;
  EXPECT_TRUE(std::isnan(map.values[0]));
  EXPECT_FLOAT_EQ(static_cast<float>(map.values[1]), 0.9f);
  EXPECT_FLOAT_EQ(static_cast<float>(figure.color_scale->maximum), 0.9f);
}

TEST_F(FiguresTest, TimeOfThePassShowsTheLayersAndTellsTheRest) {
  const Figure figure = build_figure(sample(), "pass_time");
  EXPECT_THAT(figure.title, HasSubstr("tiny-3T"));
  ASSERT_THAT(figure.panels.at(0).series, SizeIs(3));
  const Series &computing = figure.panels[0].series[0], &waiting = figure.panels[0].series[2];
  EXPECT_EQ(computing.label, "computing");
  EXPECT_THAT(computing.x, ElementsAre(0, 1, 2));
  EXPECT_THAT(computing.y, ElementsAre(2.5, 3, 3.5));  // sample_run.h, parts 1 to 3
  EXPECT_THAT(waiting.y, ElementsAre(0.25, 0.25, 0.25));
  EXPECT_EQ(figure.y.label, "time per layer (s)");
  // 5 parts of 1e10 operations in 50 seconds; the head computes for 4 seconds and waits for a quarter.
  for (const char* text : {"50 s", "at 1 GFLOP/s", "head took 4.25 s", "overlap efficiency 75 %"})
    EXPECT_THAT(figure.caption, HasSubstr(text));
}

TEST_F(FiguresTest, TimeOfThePassIsThatOfTheLastCheckpointMeasuredUnlessOneIsChosen) {
  SampleRun interrupted;
  interrupted.unmeasured = 2;
  const RunFile run = sample(interrupted);
  EXPECT_THAT(build_figure(run, "pass_time").title, HasSubstr("tiny-1T"));
  EXPECT_THAT(build_figure(run, "pass_time", {.checkpoint = "tiny-0T", .domain = {}, .layer = {}}).title,
              HasSubstr("tiny-0T"));
}

// Roles of the sample: attention is the second, routed experts the fourth, all of them the fifth.
TEST_F(FiguresTest, DriftBySketchStandsBesideTheExactOneWithABandOfTwoStandardErrors) {
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

TEST_F(FiguresTest, DriftBySketchIsShownRelativeToTheExactOne) {
  const Figure figure = build_figure(sample(), "sketched_drift_ratio");
  const Series& line = figure.panels[1].series[0];
  EXPECT_TRUE(std::isnan(line.y[0]));  // nothing has moved yet
  EXPECT_NEAR(line.y[2], 1.01, 1e-12);
  EXPECT_NEAR(line.low[2], 0.97, 1e-12);
  EXPECT_NEAR(line.high[2], 1.05, 1e-12);
}

TEST_F(FiguresTest, TimeOfAPassThatWasNotFinishedIsUnknown) {
  SampleRun interrupted;
  interrupted.unmeasured = 4;
  EXPECT_THROW(build_figure(sample(interrupted), "pass_time"), FormatError);
  interrupted.unmeasured = 3;  // of four
  EXPECT_EQ(
      build_figure(sample(interrupted), "pass_time", {.checkpoint = "tiny-3T", .domain = {}, .layer = {}})
          .caption,
      "The forward pass has not been measured.");
}

TEST_F(FiguresTest, RunFilesWithoutMeasurementsHaveNoTimeOfThePass) {
  SampleRun earlier;
  earlier.measured = false;
  EXPECT_THROW(build_figure(sample(earlier), "pass_time"), FormatError);
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
