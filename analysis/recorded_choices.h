#pragma once
/// The experts that a run file says its tokens took.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "readers/run_file.h"

namespace moescope {

/// /routing/topk_index of one layer (a position among the MoE layers) at one checkpoint, (T, K). Each is
/// below the number of experts that /routing/expert_count has: may be taken as an index. Throws FormatError
/// where one is not.
std::vector<std::uint16_t> read_choices(const RunFile& run, std::size_t checkpoint, std::size_t layer);

}  // namespace moescope
