#pragma once
/// The dimensions of a table with their labels, and what is selected of them.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "readers/run_file.h"
#include "readers/table_cell.h"

namespace moescope {

/// Labels to keep, by dimension, e.g. {"checkpoint", {"05T", "11.2T"}}. "layer" also selects in moe_layer.
/// Labels are spelled as in a table; those of dimensions without labels are indices from 0.
using TableSelection = std::map<std::string, std::vector<std::string>>;

/// One dimension of a table.
struct TableAxis {
  std::string name;                    // of its column; empty: it has none
  std::vector<std::uint64_t> indices;  // that are kept, ascending
  std::vector<std::string> cells;      // as many; none where the index itself is the label
};

/// The axes of the dataset at `path`, outermost first. A dimension scale has no column beside its value.
/// Throws UsageError for a dimension or label that the dataset does not have, and what RunFile throws.
std::vector<TableAxis> table_axes(const RunFile& file, const std::string& path,
                                  const TableSelection& selection, TableFormat format);

}  // namespace moescope
