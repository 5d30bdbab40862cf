#include "readers/table/table_cell.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "readers/text/shortest_number.h"

namespace moescope {
namespace {

template <class Float>
std::string float_cell(Float value, TableFormat format) {
  const bool json = format == TableFormat::json;
  if (std::isnan(value)) return json ? "null" : "";
  if (std::isinf(value)) return std::string(value < 0 ? "-" : "") + (json ? "1e999" : "inf");
  return shortest(value);
}

std::string quoted_csv(std::string_view value) {
  if (value.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(value);
  std::string quoted = "\"";
  for (const char character : value) {
    if (character == '"') quoted += '"';
    quoted += character;
  }
  return quoted + '"';
}

std::string escaped_tsv(std::string_view value) {
  std::string escaped;
  for (const char character : value) {
    switch (character) {
      case '\t':
        escaped += "\\t";
        break;
      case '\n':
        escaped += "\\n";
        break;
      case '\r':
        escaped += "\\r";
        break;
      case '\\':
        escaped += "\\\\";
        break;
      default:
        escaped += character;
    }
  }
  return escaped;
}

}  // namespace

std::string table_cell(std::int64_t value, TableFormat) {
  return shortest(value);
}
std::string table_cell(double value, TableFormat format) {
  return float_cell(value, format);
}
std::string table_cell(float value, TableFormat format) {
  return float_cell(value, format);
}

std::string table_cell(std::string_view value, TableFormat format) {
  switch (format) {
    case TableFormat::csv:
      return quoted_csv(value);
    case TableFormat::tsv:
      return escaped_tsv(value);
    case TableFormat::json:
      break;
  }
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace moescope
