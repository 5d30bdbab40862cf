#pragma once
/// The dimensions of a table with their labels, and what is selected of them.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "readers/run_file/run_file.h"
#include "readers/table/table_cell.h"

namespace moescope {

/// Labels to keep, by dimension, e.g. {"checkpoint", {"05T", "11.2T"}}. "layer" also selects in moe_layer.
/// Labels are spelled as in a table, names also by their ends (find_name); those of dimensions without labels
/// are indices from 0.
using TableSelection = std::map<std::string, std::vector<std::string>>;

/// One dimension of a table.
struct TableAxis {
  std::string name;                    // of its column; empty: it has none
  std::size_t dimension = 0;           // of the dataset
  std::vector<std::uint64_t> indices;  // that are kept, ascending
  std::vector<std::string> cells;      // as many; none where the index itself is the label
};

/// The axes of the dataset at `path`, outermost first. A dimension scale has no column beside its value.
/// Throws UsageError for a dimension or label that the dataset does not have, and what RunFile throws.
std::vector<TableAxis> table_axes(const RunFile& file, const std::string& path,
                                  const TableSelection& selection, TableFormat format);

/// Moves the axis called `name` ("layer" also means moe_layer) behind all others: its labels become columns.
/// Throws UsageError when `path`, for messages, has no such axis.
void move_to_end(std::vector<TableAxis>& axes, const std::string& name, const std::string& path);

/// One name for each index that is kept of the last axis, as plain text: the label where labels are words,
/// and `moe_layer_3`, `token_0` where they are numbers or where a word is the name of an axis before it.
std::vector<std::string> wide_columns(const RunFile& file, const std::vector<TableAxis>& axes);

}  // namespace moescope
