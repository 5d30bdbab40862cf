#include "plots/figures/pass_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "readers/errors.h"
#include "tests/plots/figures/figures_fixture.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

using PassFigures = FiguresTest;

TEST_F(PassFigures, TimeOfThePassShowsTheLayersAndTellsTheRest) {
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

TEST_F(PassFigures, TimeOfThePassIsThatOfTheLastCheckpointMeasuredUnlessOneIsChosen) {
  SampleRun interrupted;
  interrupted.unmeasured = 2;
  const RunFile run = sample(interrupted);
  EXPECT_THAT(build_figure(run, "pass_time").title, HasSubstr("tiny-1T"));
  EXPECT_THAT(build_figure(run, "pass_time", {.checkpoint = "tiny-0T", .domain = {}, .layer = {}}).title,
              HasSubstr("tiny-0T"));
}

TEST_F(PassFigures, TimeOfAPassThatWasNotFinishedIsUnknown) {
  SampleRun interrupted;
  interrupted.unmeasured = 4;
  EXPECT_THROW(build_figure(sample(interrupted), "pass_time"), FormatError);
  interrupted.unmeasured = 3;  // of four
  EXPECT_EQ(
      build_figure(sample(interrupted), "pass_time", {.checkpoint = "tiny-3T", .domain = {}, .layer = {}})
          .caption,
      "The forward pass has not been measured.");
}

TEST_F(PassFigures, RunFilesWithoutMeasurementsHaveNoTimeOfThePass) {
  SampleRun earlier;
  earlier.measured = false;
  EXPECT_THROW(build_figure(sample(earlier), "pass_time"), FormatError);
}

}  // namespace
}  // namespace moescope
