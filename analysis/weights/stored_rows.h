#pragma once
/// Stored weights as floats, whole or row by row.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "readers/checkpoint/checkpoint.h"
#include "readers/model/weight.h"

namespace moescope {

/// Reads all elements of a weight, row-major, exactly but for the rounding of quantised ones, a few MiB at a
/// time. Thread-safe. Throws std::system_error.
void read_weight(const Checkpoint& checkpoint, const Weight& weight, std::span<float> values);

/// A weight whose rows are wanted in pieces. One that is stored transposed is read once, and kept as stored.
class StoredRows {
 public:
  /// Both must outlive this.
  StoredRows(const Checkpoint& checkpoint, const Weight& weight) : checkpoint_(checkpoint), weight_(weight) {}

  /// Whole rows, values.size() / weight.cols of them, as read_weight does.
  void read(std::uint64_t first_row, std::span<float> values);

 private:
  const Checkpoint& checkpoint_;
  const Weight& weight_;
  std::vector<std::byte> matrix_;  // all elements as stored, in the order of rows
};

}  // namespace moescope
