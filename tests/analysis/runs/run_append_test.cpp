#include "analysis/runs/run_append.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "readers/errors.h"
#include "readers/schema/datasets.h"
#include "tests/analysis/runs/tiny_series.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using testing::Each;
using testing::HasSubstr;

class RunAppendTest : public TinySeriesTest {
 protected:
  /// Of the first `count` checkpoints.
  fs::path run_of(std::size_t count, const std::string& file = "run.h5") {
    AnalysisOptions options = options_;
    options.inputs.series.resize(count);
    return analyze(file, options);
  }

  AnalysisOptions only(const fs::path& run, std::size_t checkpoint) const {
    AnalysisOptions options;
    options.inputs.series = {options_.inputs.series[checkpoint]};
    options.scope.version = options_.scope.version;
    options.output.file = run;
    options.resources.threads = 1;
    return options;
  }

  AnalysisSummary append(const AnalysisOptions& options) {
    AnalysisListener silent;
    return append_checkpoints(options, silent);
  }

  std::string refusal(const AnalysisOptions& options) {
    try {
      append(options);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "nothing";
  }
};

TEST_F(RunAppendTest, CheckpointsOneByOneAreTheWhole) {
  options_.scope.save = {true, false, true};
  const fs::path run = run_of(1);
  append(only(run, 1));
  const AnalysisSummary summary = append(only(run, 2));
  EXPECT_TRUE(summary.complete);
  EXPECT_EQ(summary.checkpoints, 3u);
  expect_same_datasets(run, run_of(3, "whole.h5"));
  EXPECT_FALSE(fs::exists(run.string() + ".append"));
}

// In the order of their tokens.
TEST_F(RunAppendTest, AnEarlierCheckpointTakesItsPlace) {
  AnalysisOptions later = options_;
  later.inputs.series.erase(later.inputs.series.begin());
  const fs::path run = analyze("run.h5", later);
  append(only(run, 0));
  expect_same_datasets(run, run_of(3, "whole.h5"));
}

TEST_F(RunAppendTest, TheScopeIsThatOfTheRunFile) {
  options_.scope.precision = Precision::f32;
  options_.scope.sketches = false;
  options_.scope.spectra = SpectraChoice::none;
  const fs::path run = run_of(2);
  append(only(run, 2));
  expect_same_datasets(run, run_of(3, "whole.h5"));
  EXPECT_FALSE(RunFile::open(run).contains(dataset::weights_sketch));
}

TEST_F(RunAppendTest, ACheckpointThatIsThereAlreadyIsLeftAsItIs) {
  const fs::path run = run_of(2);
  const AnalysisSummary summary = append(only(run, 1));
  EXPECT_TRUE(summary.complete);
  EXPECT_EQ(summary.checkpoints, 2u);
}

TEST_F(RunAppendTest, DistancesFromADeletedCheckpointAreEstimated) {
  const fs::path run = run_of(2);
  fs::remove_all(options_.inputs.series.front().path);
  append(only(run, 2));
  const RunFile joined = RunFile::open(run);
  EXPECT_THAT(joined.read(dataset::status_forward), Each(1));
  EXPECT_THAT(joined.read(dataset::status_pair_done), testing::ElementsAre(1, 1, 0, 1, 1, 1, 0, 1, 1));
  EXPECT_THAT(joined.read<double>("/metrics/role_sketched_drift", {{0, 2, 0}, {1, 1, 1}}),
              Each(testing::Gt(0)));
}

TEST_F(RunAppendTest, AnUnfinishedRunOrOneOfAnotherVersionIsRefused) {
  AnalysisOptions half = options_;
  half.inputs.series.resize(2);
  half.scope.part = {0, 2};
  EXPECT_THAT(refusal(only(analyze("half.h5", half), 2)), HasSubstr("half.h5: is not complete"));
  AnalysisOptions newer = only(run_of(2), 2);
  newer.scope.version = "newer";
  EXPECT_THAT(refusal(newer), HasSubstr("was made by moescope test, this is newer"));
}

}  // namespace
}  // namespace moescope
