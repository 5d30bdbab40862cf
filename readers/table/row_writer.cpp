#include "readers/table/row_writer.h"

#include <cassert>
#include <cerrno>
#include <ostream>
#include <system_error>

namespace moescope {

RowWriter::RowWriter(TableFormat format, const std::vector<std::string>& columns, std::ostream& out)
    : format_(format), out_(out) {
  const bool json = format == TableFormat::json;
  std::vector<std::string> header;
  for (const std::string& column : columns) {
    header.push_back(table_cell(std::string_view(column), format));
    std::string separator = header.size() == 1 ? "" : format == TableFormat::tsv ? "\t" : ",";
    separators_.push_back(json ? separator + header.back() + ":" : separator);
  }
  if (json) {
    buffer_ = "[";
  } else {
    add(header);
  }
}

void RowWriter::add(const std::vector<std::string>& cells) {
  assert(cells.size() == separators_.size());
  if (format_ == TableFormat::json) buffer_ += first_row_ ? "\n{" : ",\n{";
  for (std::size_t i = 0; i < cells.size(); ++i) buffer_.append(separators_[i]).append(cells[i]);
  buffer_ += format_ == TableFormat::json ? "}" : "\n";
  first_row_ = false;
}

void RowWriter::flush() {
  out_ << buffer_;
  buffer_.clear();
  if (out_.flush()) return;
  throw std::system_error(EIO, std::generic_category(),
                          "cannot write the table");  // of a stream that does not throw
}

void RowWriter::finish() {
  if (format_ == TableFormat::json) buffer_ += "\n]\n";
  flush();
}

}  // namespace moescope
