#include "analysis/record/run_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "readers/errors.h"
#include "tests/support/special_values.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RunCopyTest : public testing::Test {
 protected:
  /// /values of type f4 and /counts of type i4, both [checkpoint, token].
  RunFile make(const std::string& name, std::uint64_t checkpoints, std::uint64_t tokens) {
    RunFile run = RunFile::create(directory_ / name);
    run.define_dimension("checkpoint", checkpoints);
    run.define_dimension("token", tokens);
    run.define({"/group/values", ElementType::f4, {"checkpoint", "token"}, "1", "", "", ""});
    run.define({"/group/counts", ElementType::i4, {"checkpoint", "token"}, "1", "", "", ""});
    return run;
  }

  TemporaryDirectory directory_;
};

TEST_F(RunCopyTest, PutsIndicesWhereTheyBelongAndLeavesOutWhatHasNoPlace) {
  RunFile from = make("from.h5", 3, 2), to = make("to.h5", 4, 3);
  from.write<std::int32_t>("/group/counts", std::vector<std::int32_t>{1, 2, 3, 4, 5, 6});
  copy_values(from, to, "/group/counts", {{"checkpoint", {3, std::nullopt, 0}}, {"token", {1, 2}}},
              Overlap::replace);
  EXPECT_THAT(to.read<std::int32_t>("/group/counts"), ElementsAre(0, 5, 6, 0, 0, 0, 0, 0, 0, 0, 1, 2));
}

TEST_F(RunCopyTest, WhatIsTooLargeForOneStepIsCopiedWhole) {
  constexpr std::uint64_t tokens = (1 << 20) + 12345;
  RunFile from = make("from.h5", 2, tokens), to = make("to.h5", 2, tokens + 1);
  std::vector<std::int32_t> numbers(2 * tokens);
  std::iota(numbers.begin(), numbers.end(), 1);
  from.write<std::int32_t>("/group/counts", numbers);
  Places shifted;
  for (std::size_t t = 0; t < tokens; ++t) shifted.emplace_back(t + 1);
  copy_values(from, to, "/group/counts", {{"token", shifted}}, Overlap::replace);
  const std::vector<std::int32_t> second = to.read<std::int32_t>("/group/counts", {{1, 1}, {1, tokens}});
  EXPECT_EQ(to.read<std::int32_t>("/group/counts", {{0, 0}, {1, 2}}), (std::vector<std::int32_t>{0, 1}));
  EXPECT_TRUE(std::equal(second.begin(), second.end(), numbers.begin() + tokens));
}

TEST_F(RunCopyTest, ValuesThatAgreeFillEachOthersGaps) {
  RunFile from = make("from.h5", 1, 3), to = make("to.h5", 1, 3);
  from.write<float>("/group/values", std::vector<float>{1, nan_f32, 3});
  to.write<float>("/group/values", std::vector<float>{nan_f32, 2, 3});
  copy_values(from, to, "/group/values", {}, Overlap::agree);
  EXPECT_THAT(to.read<float>("/group/values"), ElementsAre(1, 2, 3));
}

TEST_F(RunCopyTest, ValuesThatContradictEachOtherAreAFormatErrorThatNamesThem) {
  RunFile from = make("from.h5", 1, 2), to = make("to.h5", 1, 2);
  from.write<float>("/group/values", std::vector<float>{1, 2});
  to.write<float>("/group/values", std::vector<float>{1, 2.5});
  try {
    copy_values(from, to, "/group/values", {}, Overlap::agree);
    FAIL() << "no error";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("from.h5: /group/values: contradicts another part"));
    EXPECT_THAT(error.what(), HasSubstr("2.000000 here and 2.500000 there"));
  }
  copy_values(from, to, "/group/values", {}, Overlap::replace);
  EXPECT_THAT(to.read<float>("/group/values"), ElementsAre(1, 2));
}

}  // namespace
}  // namespace moescope
