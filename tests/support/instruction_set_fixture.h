#pragma once
/// Tests of what is compiled for several sets of instructions.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tests/support/instruction_sets.h"

namespace moescope {

/// A fixture whose tests run with each set of instructions: INSTANTIATE_TEST_SUITE_P(Targets, Fixture,
/// testing::ValuesIn(instruction_sets()), instruction_set_name).
class InstructionSetTest : public testing::TestWithParam<std::int64_t> {
 protected:
  void SetUp() override { choose_instructions(GetParam()); }
  void TearDown() override { choose_instructions(0); }
};

inline std::string instruction_set_name(const testing::TestParamInfo<std::int64_t>& set) {
  return hwy::TargetName(set.param);
}

}  // namespace moescope
