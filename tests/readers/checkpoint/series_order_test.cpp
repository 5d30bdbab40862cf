#include "readers/checkpoint/series_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;

using Names = std::vector<std::string>;

struct Ordered {
  Names names;
  std::vector<double> tokens, steps;  // in that order
  Names doubts;
};

Ordered ordered(Names names) {
  std::sort(names.begin(), names.end());
  const SeriesOrder found = order_by_names(names);
  Ordered result;
  for (const std::size_t i : found.order) {
    result.names.push_back(names[i]);
    result.tokens.push_back(found.progress[i].tokens);
    result.steps.push_back(found.progress[i].step);
  }
  for (const Names* doubts : {&found.order_doubts, &found.progress_doubts})
    result.doubts.insert(result.doubts.end(), doubts->begin(), doubts->end());
  EXPECT_EQ(found.decided, found.order_doubts.empty());
  return result;
}

/// That names in the order of training are found so, and nothing is left open.
void expect_order(const Names& names) {
  const Ordered found = ordered(names);
  EXPECT_THAT(found.names, ElementsAreArray(names));
  EXPECT_THAT(found.doubts, IsEmpty()) << names.front();
}

const testing::Matcher<double> not_told = testing::IsNan();

// Branches and directories of published series and of trainers.
TEST(SeriesOrder, IsToldByNamesSeenInTheWild) {
  expect_order(
      {"step0-tokens0B", "step1000-tokens4B", "step10000-tokens41B", "step738020-tokens3095B"});  // OLMo
  expect_order({"step5000-tokens20B", "step1220000-tokens5117B", "main"});                        // OLMoE
  expect_order({"step0", "step1", "step512", "step1000", "step143000", "main"});                  // Pythia
  expect_order({"Ling-mini-base-2.0-5T", "Ling-mini-base-2.0-10T", "Ling-mini-base-2.0-20T"});
  expect_order({"step-001000-2BT", "step-010000-20BT", "step-100000-200BT"});
  expect_order({"ckpt_000", "ckpt_009", "ckpt_010", "ckpt_358"});  // Amber
  expect_order({"iter_0005473", "iter_0010946", "iter_0100000"});  // Megatron
  expect_order({"pretrain_iter_0373000", "pretrain_iter_0400000"});
  expect_order({"global_step500", "global_step5000", "latest"});  // DeepSpeed
  expect_order({"checkpoint-500", "checkpoint-1000", "checkpoint-10000", "checkpoint-final"});
  expect_order({"0000002000", "0000020000", "0000100000"});
  expect_order({"epoch=0-step=900.ckpt", "epoch=1-step=1800.ckpt", "epoch=2-step=2700.ckpt", "last.ckpt"});
  expect_order({"ep0-ba1000-rank0", "ep0-ba12000-rank0", "ep1-ba13000-rank0"});  // Composer
  expect_order({"300Btokens", "600Btokens", "1.2Ttokens"});
  expect_order({"epoch1", "epoch2", "epoch10"});
  expect_order({"tiny-dots1-00T", "tiny-dots1-09T", "tiny-dots1-11T", "tiny-dots1-11.2T"});
}

TEST(SeriesOrder, OneUnitParserServesStepsAndTokens) {
  expect_order({"step-500", "step-1k", "step-2.5k", "step-1M"});
  expect_order({"500M", "1B", "2.5B", "10B", "1T"});
  expect_order({"tokens-500M", "tokens-1B", "last"});
  EXPECT_THAT(ordered({"step-500", "step-1k", "step-2.5k"}).steps, ElementsAre(500, 1000, 2500));
  EXPECT_THAT(ordered({"step-1M", "step-2M"}).tokens, ElementsAre(not_told, not_told));
  EXPECT_THAT(ordered({"500M", "1B", "2.5B"}).tokens, ElementsAre(500e6, 1e9, 2.5e9));
  EXPECT_THAT(ordered({"x-7B-500M", "x-7B-1B"}).tokens, ElementsAre(500e6, 1e9));
}

TEST(SeriesOrder, StagesComeBeforeProgressAndTheCountOfOneThatBeginsAnewIsUnknown) {
  const Names names{"stage1-step1000-tokens4B",
                    "stage1-step900000-tokens3800B",
                    "stage2-ingredient1-step1000-tokens9B",
                    "stage2-ingredient1-step11000-tokens50B",
                    "stage2-ingredient2-step1000-tokens9B",
                    "main"};
  const Ordered found = ordered(names);
  EXPECT_THAT(found.names, ElementsAreArray(names));
  EXPECT_THAT(found.tokens, ElementsAre(4e9, 3800e9, not_told, not_told, not_told, not_told));
  EXPECT_THAT(found.steps, ElementsAre(1000, 900000, not_told, not_told, not_told, not_told));
  EXPECT_THAT(found.doubts,
              ElementsAre(HasSubstr("counted anew from 'stage2-ingredient1-step1000-tokens9B' on")));
}

TEST(SeriesOrder, StagesWhoseCountsGoOnKeepThem) {
  const Ordered found =
      ordered({"stage1-step-40000", "stage1-step-3440000", "stage2-step-3480000", "stage1-final"});
  EXPECT_THAT(found.names,
              ElementsAre("stage1-step-40000", "stage1-step-3440000", "stage1-final", "stage2-step-3480000"));
  EXPECT_THAT(found.steps, ElementsAre(40000, 3440000, not_told, 3480000));
  EXPECT_THAT(found.doubts, ElementsAre(HasSubstr("taken to go on from stage to stage")));
}

TEST(SeriesOrder, PhasesAndEpochsAreStagesToo) {
  const Ordered crystal = ordered({"C_phase1_checkpoint_055500", "C_phase2_checkpoint_000500",
                                   "C_phase2_checkpoint_214387", "C_phase3_checkpoint_000500"});
  EXPECT_EQ(crystal.names.front(), "C_phase1_checkpoint_055500");
  EXPECT_EQ(crystal.names.back(), "C_phase3_checkpoint_000500");
  EXPECT_THAT(crystal.steps, ElementsAre(55500, not_told, not_told, not_told));
  const Ordered epochs = ordered({"epoch1-step2", "epoch1-step10", "epoch2-step1"});
  EXPECT_THAT(epochs.names, ElementsAre("epoch1-step2", "epoch1-step10", "epoch2-step1"));
  EXPECT_THAT(epochs.steps, ElementsAre(2, 10, not_told));
}

TEST(SeriesOrder, WhatAllNamesTellAlikeIsNoProgress) {
  const Ordered ling = ordered({"Ling-1T-step100", "Ling-1T-step200"});
  EXPECT_THAT(ling.tokens, ElementsAre(not_told, not_told));
  EXPECT_THAT(ling.steps, ElementsAre(100, 200));
  EXPECT_THAT(ordered({"Ling-1T-5T", "Ling-1T-10T", "Ling-1T-1T"}).tokens, ElementsAre(1e12, 5e12, 10e12));
  EXPECT_THAT(ordered({"moe-16B-A3B-step5", "moe-16B-A3B-step9"}).tokens, ElementsAre(not_told, not_told));
  EXPECT_THAT(ordered({"OLMoE-1B-7B-0924-step5", "OLMoE-1B-7B-0924-step9"}).tokens,
              ElementsAre(not_told, not_told));
  EXPECT_THAT(ordered({"run-tokens5T-step1", "run-tokens5T-step2"}).tokens, ElementsAre(not_told, not_told));
  EXPECT_THAT(ordered({"Ling-1T-step100"}).tokens, ElementsAre(not_told));
  EXPECT_THAT(ordered({"pretrain-11.2T"}).tokens, ElementsAre(11.2e12));
}

TEST(SeriesOrder, AnUnnumberedNameDoesNotThrowTheRestIntoNameOrder) {
  const Ordered found = ordered({"checkpoint-1000", "checkpoint-200", "best", "ema", "last"});
  EXPECT_THAT(found.names, ElementsAre("checkpoint-200", "checkpoint-1000", "best", "ema", "last"));
  EXPECT_THAT(found.doubts,
              ElementsAre("'best' and 'ema' have no place that their names tell, and stand behind those that "
                          "have one"));
}

TEST(SeriesOrder, AnAverageHasNoPlaceUnlessAllAreAverages) {
  EXPECT_THAT(ordered({"step100", "step100-ema", "step200"}).names,
              ElementsAre("step100", "step200", "step100-ema"));
  expect_order({"ema-step100", "ema-step200", "ema-step1000"});
}

TEST(SeriesOrder, TwoThatCallThemselvesTheLastAreADoubt) {
  const Ordered found = ordered({"main", "step5", "final", "latest"});
  EXPECT_THAT(found.names, ElementsAre("step5", "latest", "final", "main"));
  EXPECT_THAT(found.doubts, ElementsAre(HasSubstr("each call themselves the last")));
}

TEST(SeriesOrder, NamesOfOnePlaceAreADoubt) {
  EXPECT_THAT(ordered({"a-step100", "b-step100", "b-step200"}).doubts,
              ElementsAre("'a-step100' and 'b-step100' are told to be in one place"));
}

TEST(SeriesOrder, HashesAndDaysAreNoSteps) {
  const Names hashes{std::string(40, '1'), std::string(39, '2') + "a", std::string(39, '0') + "b"};
  EXPECT_THAT(ordered(hashes).steps, ElementsAre(not_told, not_told, not_told));
  EXPECT_THAT(ordered(hashes).doubts, ElementsAre(HasSubstr("nothing in the names tells the order of")));
  EXPECT_THAT(ordered({"1234567", "77c0ffe", "0a1b2c3"}).steps, ElementsAre(not_told, not_told, not_told));
  EXPECT_THAT(ordered({std::string(40, '7')}).steps, ElementsAre(not_told));
  EXPECT_THAT(ordered({"20240131", "20240207"}).steps, ElementsAre(not_told, not_told));
}

TEST(SeriesOrder, WithoutProgressNumbersInNamesCountAsNumbersAndItIsSaid) {
  const Ordered found = ordered({"b10", "b9", "a", "b09", "b9c", "B"});
  EXPECT_THAT(found.names, ElementsAre("B", "a", "b09", "b9", "b9c", "b10"));
  EXPECT_THAT(found.doubts,
              ElementsAre("nothing in the names tells the order of 'B', 'a', 'b09' and 3 others"));
  EXPECT_THAT(ordered({"alpha"}).doubts, IsEmpty());
  expect_order({"alpha", "main"});
}

TEST(SeriesOrder, WhereSomeTellTokensAndSomeStepsTheMostDecide) {
  const Ordered found = ordered({"step100", "step200", "1T"});
  EXPECT_THAT(found.names, ElementsAre("step100", "step200", "1T"));
  EXPECT_THAT(found.doubts, ElementsAre(HasSubstr("'1T' has no place that its name tells")));
}

TEST(SeriesOrder, AFirstStageNeedNotBeCalledSo) {
  const Ordered found = ordered({"step1000", "step90000", "stage2-step500"});
  EXPECT_THAT(found.names, ElementsAre("step1000", "step90000", "stage2-step500"));
  EXPECT_THAT(found.steps, ElementsAre(1000, 90000, not_told));
}

}  // namespace
}  // namespace moescope
