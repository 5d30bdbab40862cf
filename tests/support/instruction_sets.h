#pragma once
/// The sets of instructions for which the vector loops were compiled, one by one.

#include <hwy/highway.h>

#include <cstdint>
#include <vector>

namespace moescope {

/// Those that were compiled and that this processor has.
inline std::vector<std::int64_t> instruction_sets() {
  std::vector<std::int64_t> all;
  for (std::int64_t left = hwy::SupportedTargets() & HWY_TARGETS; left != 0; left &= left - 1)
    all.push_back(left & -left);
  return all;
}

/// From now on, for the whole program; 0: the best, as usual.
inline void choose_instructions(std::int64_t set) {
  hwy::SetSupportedTargetsForTest(set);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace moescope
