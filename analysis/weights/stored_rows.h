#pragma once
/// Rows of a stored weight as floats.

#include <cstdint>
#include <span>

#include "readers/checkpoint/checkpoint.h"
#include "readers/model/weight.h"

namespace moescope {

/// Reads whole rows, values.size() / weight.cols of them from `first_row` on, exactly but for the rounding of
/// quantised ones, a few MiB at a time. Thread-safe. Throws std::system_error.
void read_rows(const Checkpoint& checkpoint, const Weight& weight, std::uint64_t first_row,
               std::span<float> values);

}  // namespace moescope
