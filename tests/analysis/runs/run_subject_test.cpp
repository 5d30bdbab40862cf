#include "analysis/runs/run_subject.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "readers/checkpoint/checkpoint_name.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::IsNan;

/// Recorded alone, as when checkpoints are appended one by one.
RunCheckpoint recorded_alone(const std::string& name) {
  RunCheckpoint checkpoint;
  const NamedProgress alone = progress_of(read_checkpoint_name(name));
  checkpoint.entry.name = name;
  checkpoint.entry.tokens = alone.tokens;
  checkpoint.entry.step = alone.step;
  return checkpoint;
}

struct Sorted {
  std::vector<std::string> names;
  std::vector<double> tokens;
};

Sorted sorted(std::vector<RunCheckpoint> checkpoints) {
  sort_by_training(checkpoints);
  Sorted result;
  for (const RunCheckpoint& checkpoint : checkpoints) {
    result.names.push_back(checkpoint.entry.name);
    result.tokens.push_back(checkpoint.entry.tokens);
  }
  return result;
}

TEST(RunSubject, CheckpointsRecordedOneByOneStandAsIfFoundTogether) {
  const Sorted stages = sorted({recorded_alone("stage1-tokens4B"), recorded_alone("stage1-tokens3800B"),
                                recorded_alone("stage2-tokens9B")});
  EXPECT_THAT(stages.names, ElementsAre("stage1-tokens4B", "stage1-tokens3800B", "stage2-tokens9B"));
  EXPECT_THAT(stages.tokens, ElementsAre(4e9, 3800e9, IsNan()));
  const Sorted amounts = sorted({recorded_alone("1B"), recorded_alone("500M")});
  EXPECT_THAT(amounts.names, ElementsAre("500M", "1B"));
  EXPECT_THAT(amounts.tokens, ElementsAre(500e6, 1e9));
  EXPECT_THAT(sorted({recorded_alone("step2"), recorded_alone("main"), recorded_alone("step1")}).names,
              ElementsAre("step1", "step2", "main"));
}

TEST(RunSubject, WhatASeriesFileSaidStays) {
  RunCheckpoint given = recorded_alone("stage2-tokens9B");
  given.entry.tokens = 3809e9;
  EXPECT_THAT(sorted({given, recorded_alone("stage1-tokens3800B")}).tokens, ElementsAre(3800e9, 3809e9));
}

TEST(RunSubject, AnOrderThatNothingTellsStays) {
  EXPECT_THAT(sorted({recorded_alone("beta"), recorded_alone("alpha")}).names, ElementsAre("beta", "alpha"));
}

}  // namespace
}  // namespace moescope
