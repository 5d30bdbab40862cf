#pragma once
/// One value as the text of a CSV field (RFC 4180), a TSV field or a JSON value.

#include <cstdint>
#include <string>
#include <string_view>

namespace moescope {

enum class TableFormat : std::uint8_t { csv, tsv, json };

/// Numbers in the shortest form that reads back as the same value of the same type; without regard to locale.
/// NaN is an empty field, in JSON null; infinities are inf and -inf, in JSON 1e999 and -1e999, which JSON
/// readers turn into infinities again.
std::string table_cell(std::int64_t value, TableFormat format);
std::string table_cell(double value, TableFormat format);
std::string table_cell(float value, TableFormat format);
/// CSV: quoted where it must be. TSV: tab, line feed, carriage return and backslash as \t \n \r \\. JSON: a
/// string; bytes that are not UTF-8 become U+FFFD.
std::string table_cell(std::string_view value, TableFormat format);

}  // namespace moescope
