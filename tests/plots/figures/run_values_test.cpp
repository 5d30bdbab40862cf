#include "plots/figures/run_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/plots/figures/figures_fixture.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using RunValues = FiguresTest;

TEST_F(RunValues, CheckpointsWithoutTokensOrStepsStandOneAfterAnother) {
  SampleRun unknown;
  unknown.tokens.assign(4, std::nan(""));
  const Figure figure = build_figure(sample(unknown), "loss");
  EXPECT_THAT(figure.panels[0].series[0].x, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(figure.x.tick_labels, ElementsAre("0T", "1T", "2T", "3T"));
}

TEST_F(RunValues, TokensThatAreThoseOfTheNamesSaySo) {
  EXPECT_EQ(build_figure(sample(), "loss").x.label, "training tokens, as named");
  EXPECT_THAT(build_figure(sample(), "weight_update_rate").caption,
              HasSubstr("as the checkpoints' names do"));
  SampleRun told;
  told.tokens = {0, 552960, 1105920, 1658880};  // as a series file tells them
  const RunFile run = sample(told);
  EXPECT_EQ(build_figure(run, "loss").x.label, "training tokens");
  EXPECT_THAT(build_figure(run, "weight_update_rate").caption, Not(HasSubstr("names")));
}

}  // namespace
}  // namespace moescope
