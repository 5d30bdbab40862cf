#pragma once
/// Tables of the documentation that follow from the program. A test states what a table holds; with UPDATE=1
/// in the environment the table is written so.

#include <string>
#include <vector>

namespace moescope {

using TableRow = std::vector<std::string>;  // a cell each, in Markdown

/// As text in Markdown.
std::string markdown(const std::string& text);
/// As code in Markdown.
std::string markdown_code(const std::string& text);

/// Fails unless the table of `file` (from the root of the sources) below the line `heading` whose header is
/// `header` ("| path | type |") has exactly these rows.
void expect_table(const std::string& file, const std::string& heading, const std::string& header,
                  const std::vector<TableRow>& rows);

}  // namespace moescope
