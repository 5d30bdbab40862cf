#pragma once
/// Rows of a table as CSV, TSV or a JSON array of objects, one a line.

#include <iosfwd>
#include <string>
#include <vector>

#include "readers/table/table_cell.h"

namespace moescope {

/// Rows reach the stream at flush() and finish(); both throw std::system_error when it fails.
class RowWriter {
 public:
  /// Writes the header line where the format has one.
  RowWriter(TableFormat format, const std::vector<std::string>& columns, std::ostream& out);

  /// `cells` were made by table_cell(), one for each column.
  void add(const std::vector<std::string>& cells);
  void flush();
  /// Ends the table.
  void finish();

 private:
  TableFormat format_;
  std::ostream& out_;
  std::vector<std::string> separators_;  // what precedes each cell of a row: `,` or `,"domain":`
  std::string buffer_;
  bool first_row_ = true;
};

}  // namespace moescope
