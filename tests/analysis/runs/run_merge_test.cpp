#include "analysis/runs/run_merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "readers/errors.h"
#include "readers/schema/datasets.h"
#include "tests/analysis/runs/tiny_series.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RunMergeTest : public TinySeriesTest {
 protected:
  fs::path whole() { return analyze("whole.h5", options_); }

  fs::path part(std::size_t index, std::size_t count) {
    AnalysisOptions options = options_;
    options.scope.part = {index, count};
    return analyze("part" + std::to_string(index) + ".h5", options);
  }

  fs::path merged(const std::vector<fs::path>& parts) {
    const fs::path joined = directory_ / "joined.h5";
    summary_ = merge_runs({parts, joined, true, ""});
    return joined;
  }

  /// What a merge of these is refused with.
  std::string refusal(const std::vector<fs::path>& parts) {
    try {
      merged(parts);
    } catch (const FormatError& error) {
      return error.what();
    }
    return "nothing";
  }

  MergeSummary summary_;
};

TEST_F(RunMergeTest, PartsInAnyOrderAreTheWhole) {
  options_.scope.save = {true, true, true};
  const std::vector<fs::path> parts = {part(2, 3), part(0, 3), part(1, 3)};
  expect_same_datasets(whole(), merged(parts));
  EXPECT_TRUE(summary_.complete);
  EXPECT_EQ(summary_.tensors_finished, summary_.tensors);
  EXPECT_EQ(summary_.pairs_finished, 9u);
}

TEST_F(RunMergeTest, AForwardPassAndAWeightPassAreTheWhole) {
  AnalysisOptions forward = options_, weights = options_;
  forward.scope.weights = false;
  weights.scope.forward = false;
  weights.inputs.corpus.clear();
  expect_same_datasets(whole(), merged({analyze("f.h5", forward), analyze("w.h5", weights)}));
}

TEST_F(RunMergeTest, RunsOfOneDomainEachAreTheWhole) {
  AnalysisOptions even = options_, odd = options_;
  even.inputs.corpus.resize(1);
  odd.inputs.corpus.erase(odd.inputs.corpus.begin());
  expect_same_datasets(whole(), merged({analyze("even.h5", even), analyze("odd.h5", odd)}));
}

TEST_F(RunMergeTest, WhatNoPartHasIsNotFinished) {
  const RunFile joined = RunFile::open(merged({part(0, 3), part(1, 3)}));
  EXPECT_FALSE(summary_.complete);
  EXPECT_THAT(joined.read(dataset::status_forward), testing::ElementsAre(1, 1, 0));
}

// Two checkpoints that were never read side by side.
TEST_F(RunMergeTest, ProductsOfCheckpointsThatNeverMetAreNaN) {
  AnalysisOptions first = options_, others = options_;
  first.inputs.series.resize(1);
  others.inputs.series.erase(others.inputs.series.begin());
  const RunFile joined = RunFile::open(merged({analyze("a.h5", first), analyze("b.h5", others)}));
  EXPECT_THAT(joined.read(dataset::status_pair_done), testing::ElementsAre(1, 0, 0, 0, 1, 1, 0, 1, 1));
  EXPECT_THAT(joined.read(dataset::weights_inner_product, {{0, 0, 1}, {1, 1, 1}}),
              testing::ElementsAre(testing::IsNan()));
}

TEST_F(RunMergeTest, AnotherScopeIsRefusedInItsOwnWords) {
  AnalysisOptions f32 = options_, bf16 = options_, bare = options_;
  f32.scope.precision = Precision::f32;
  bf16.scope.precision = Precision::bf16;
  bare.scope.sketches = false;
  const fs::path of_f32 = analyze("f32.h5", f32);
  EXPECT_THAT(
      refusal({of_f32, analyze("bf16.h5", bf16)}),
      HasSubstr("bf16.h5: precision: differs (expected 'f32' as in " + of_f32.string() + ", found 'bf16')"));
  EXPECT_THAT(refusal({analyze("whole.h5", options_), analyze("bare.h5", bare)}),
              HasSubstr("sketches: differs (expected 'yes'"));
}

TEST_F(RunMergeTest, APartOfAnotherDivisionOrOnceMoreIsRefused) {
  const fs::path first = part(0, 2);
  const fs::path copy = directory_ / "copy.h5";
  fs::copy_file(first, copy);
  EXPECT_THAT(refusal({first, copy}), HasSubstr("copy.h5: is part 1/2 once more"));
  EXPECT_THAT(refusal({first, part(2, 3)}), HasSubstr("is part 3/3, another division than part 1/2"));
}

TEST_F(RunMergeTest, AValueThatTwoFilesTellDifferentlyIsRefused) {
  const fs::path a = analyze("a.h5", options_), b = analyze("b.h5", options_);
  RunFile::open_for_update(b).write(dataset::loss_nll, {{0, 0}, {1, 1}}, std::vector<float>{7});
  EXPECT_THAT(refusal({a, b}), HasSubstr("b.h5: /loss/nll: contradicts another part"));
}

}  // namespace
}  // namespace moescope
