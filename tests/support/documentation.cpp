#include "tests/support/documentation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/support/source_path.h"

namespace moescope {
namespace {

std::string read_text(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(source_path(file)).rdbuf();
  return text.str();
}

/// Where the rows of a table begin and end in `text`; both npos where it is not there.
struct Place {
  std::size_t begin = std::string::npos, end = std::string::npos;
};
Place find_rows(const std::string& text, const std::string& heading, const std::string& header) {
  const std::size_t below = text.find("\n" + heading + "\n");
  const std::size_t found = text.find("\n" + header + "\n|--", below);
  if (below == std::string::npos || found == std::string::npos) return {};
  const std::size_t rule = text.find("\n|--", found + 1);
  Place place{text.find('\n', rule + 1) + 1, 0};
  place.end = place.begin;
  while (text[place.end] == '|') place.end = text.find('\n', place.end) + 1;
  return place;
}

std::string table_text(const std::vector<TableRow>& rows) {
  std::string text;
  for (const TableRow& row : rows) {
    text += '|';
    for (const std::string& cell : row) text += " " + cell + " |";
    text += '\n';
  }
  return text;
}

}  // namespace

std::string markdown(const std::string& text) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool emphasis = text[i] == '_' && i + 1 < text.size() && text[i + 1] == '(';
    if (text[i] == '|' || text[i] == '<' || emphasis) escaped += '\\';
    escaped += text[i];
  }
  return escaped;
}

std::string markdown_code(const std::string& text) {
  return "`" + text + "`";
}

void expect_table(const std::string& file, const std::string& heading, const std::string& header,
                  const std::vector<TableRow>& rows) {
  std::string text = read_text(file);
  const Place place = find_rows(text, heading, header);
  ASSERT_NE(place.end, std::string::npos) << file << ": no table " << header << " below " << heading;
  const std::string expected = table_text(rows), found = text.substr(place.begin, place.end - place.begin);
  if (std::getenv("UPDATE") == nullptr || found == expected) {
    EXPECT_EQ(found, expected) << file << ": UPDATE=1 writes the table anew";
    return;
  }
  text.replace(place.begin, place.end - place.begin, expected);
  std::ofstream(source_path(file)) << text;
}

}  // namespace moescope
