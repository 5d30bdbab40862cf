#pragma once
/// Tests of what is compiled for several sets of instructions.

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <cstdint>
#include <string>
#include <vector>

namespace moescope {

/// A fixture whose tests run with each set of instructions: INSTANTIATE_TEST_SUITE_P(Targets, Fixture,
/// testing::ValuesIn(instruction_sets()), instruction_set_name).
class InstructionSetTest : public testing::TestWithParam<std::int64_t> {
 protected:
  void SetUp() override { choose(GetParam()); }
  void TearDown() override { choose(0); }

 private:
  static void choose(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

/// Those that were compiled and that this processor has.
inline std::vector<std::int64_t> instruction_sets() {
  std::vector<std::int64_t> all;
  for (std::int64_t left = hwy::SupportedTargets() & HWY_TARGETS; left != 0; left &= left - 1)
    all.push_back(left & -left);
  return all;
}

inline std::string instruction_set_name(const testing::TestParamInfo<std::int64_t>& set) {
  return hwy::TargetName(set.param);
}

}  // namespace moescope
