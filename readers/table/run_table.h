#pragma once
/// A dataset or metric of a run file as a table, long or wide. Long: one column for each dimension, holding
/// its labels, and one for the value, named after the dataset; one row for each element, in the order of the
/// dataset. Wide: one dimension gives a column for each of its labels instead.

#include <iosfwd>
#include <string>
#include <string_view>

#include "readers/run_file/run_file.h"
#include "readers/table/table_axis.h"
#include "readers/table/table_cell.h"

namespace moescope {

/// The dataset that `name` means: a path ("/routing/expert_count", "routing/expert_count"), a metric
/// ("max_violation") or the last part of one path only ("expert_count"). Throws UsageError, which names the
/// closest ones. A metric goes before a dataset of the same name.
std::string find_dataset(const RunFile& file, std::string_view name);

/// Writes the table of the dataset at `path` to `out`, in memory that does not grow with the dataset (but for
/// the rows of a wide table, which are whole). `wide` names the dimension that becomes columns, named by
/// wide_columns(); empty: the table is long. JSON is an array of objects, one a line. Throws UsageError for a
/// dimension or label that the dataset does not have, std::system_error when `out` fails, and what RunFile
/// throws.
void write_table(const RunFile& file, const std::string& path, const TableSelection& selection,
                 TableFormat format, std::ostream& out, const std::string& wide = "");

}  // namespace moescope
