#include "analysis/machine/memory.h"

#include <gtest/gtest.h>

#include <string>

#include "analysis/machine/job_limits.h"
#include "readers/errors.h"

namespace moescope {
namespace {

std::string refusal(std::uint64_t asked) {
  try {
    require_program_memory(asked);
  } catch (const UsageError& error) {
    return error.what() + (" | " + error.hint());
  }
  return {};
}

TEST(Memory, NothingAskedForIsHalfOfWhatThereIsAndFourGibibytesAtMost) {
  EXPECT_EQ(memory_budget(0), default_memory_budget());
  EXPECT_EQ(memory_budget(1000), 1000u);
  EXPECT_LE(default_memory_budget(), std::uint64_t{4} << 30);
  EXPECT_LE(default_memory_budget(), available_memory() / 2);
}

TEST(Memory, OnlyWhatHalfOfTheMemoryCannotHoldOutgrowsThePageCache) {
  EXPECT_FALSE(outgrows_page_cache(0));
  EXPECT_FALSE(outgrows_page_cache(available_memory() / 4));
  EXPECT_TRUE(outgrows_page_cache(available_memory()));
}

TEST(Memory, LessThanTheProgramTakesIsRefusedWithTheLeast) {
  EXPECT_EQ(refusal(program_memory), "");
  EXPECT_EQ(refusal(program_memory - (1 << 20)),
            "--memory 47MiB is too little (expected at least 48MiB) | give more memory");
}

TEST(Memory, ANumberWithoutAUnitIsTakenForAForgottenUnit) {
  EXPECT_EQ(
      refusal(64),
      "--memory 64 bytes is too little (expected at least 48MiB) | a number without a unit counts bytes: "
      "write for example --memory 1024MiB");
}

}  // namespace
}  // namespace moescope
