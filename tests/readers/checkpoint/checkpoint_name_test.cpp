#include "readers/checkpoint/checkpoint_name.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace moescope {
namespace {

void expect_progress(const std::string& name, double tokens, double step) {
  const NamedProgress progress = progress_of(read_checkpoint_name(name));
  const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  EXPECT_TRUE(same(progress.tokens, tokens)) << name << ": tokens " << progress.tokens;
  EXPECT_TRUE(same(progress.step, step)) << name << ": step " << progress.step;
}

constexpr double unknown = NAN;

// Names of published checkpoints: OLMo and OLMoE branches, Ling, Megatron, NeoX, Pythia, trainers.
TEST(CheckpointName, ReadsNamesSeenInTheWild) {
  expect_progress("step5000-tokens20B", 20e9, 5000);
  expect_progress("step1220000-tokens5117B", 5117e9, 1220000);
  expect_progress("stage1-step150-tokens1B", 1e9, 150);
  expect_progress("stage2-ingredient3-step23842-tokens100B", 100e9, 23842);
  expect_progress("Ling-mini-base-2.0-5T", 5e12, unknown);
  expect_progress("step-001000-2BT", 2e9, 1000);
  expect_progress("step-160000", unknown, 160000);
  expect_progress("step143000", unknown, 143000);
  expect_progress("iter_0005473", unknown, 5473);
  expect_progress("pretrain_iter_0373000", unknown, 373000);
  expect_progress("global_step5000", unknown, 5000);
  expect_progress("checkpoint-1000", unknown, 1000);
  expect_progress("0000020000", unknown, 20000);
  expect_progress("1T", 1e12, unknown);
  expect_progress("pretrain-11.2T", 11.2e12, unknown);
  expect_progress("main", unknown, unknown);
}

TEST(CheckpointName, ReadsTheDemoSeries) {
  expect_progress("tiny-dots1-00T", 0, unknown);
  expect_progress("tiny-dots1-01T", 1e12, unknown);
  expect_progress("tiny-dots1-11.2T", 11.2e12, unknown);
}

TEST(CheckpointName, SizesAreNotTokens) {
  expect_progress("OLMoE-1B-7B-0924", unknown, unknown);
  expect_progress("Moonlight-16B-A3B", unknown, unknown);
  expect_progress("7B", unknown, unknown);
  expect_progress("OLMoE-1B-7B-step5000-tokens20B", 20e9, 5000);
}

TEST(CheckpointName, WordsMayBeSeparatedInSeveralWays) {
  expect_progress("tokens-20B", 20e9, unknown);
  expect_progress("20B_tokens", 20e9, unknown);
  expect_progress("Step 12 Tokens 3.5T", 3.5e12, 12);
  expect_progress("heads/step5000-tokens20B", 20e9, 5000);
  expect_progress("tokens1000000", 1e6, unknown);
  expect_progress("ckpt_7", unknown, 7);
}

TEST(CheckpointName, WordsThatOnlyResembleProgressAreNone) {
  for (const char* name : {"", "-", "step", "tokens", "stepwise", "step-by-step", "T", "infT", "nanT", "1e5T",
                           "v2.0", "tokens20X", "step1.2.3", "tokensB", "iterations-of-T", "2.0", "0x10T"}) {
    expect_progress(name, unknown, unknown);
  }
  expect_progress(std::string(400, '9'), unknown, unknown);  // beyond every number
}

}  // namespace
}  // namespace moescope
