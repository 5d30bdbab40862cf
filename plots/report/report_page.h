#pragma once
/// The pieces of the report's HTML. Everything that came from outside is escaped here.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plots/figure/figure.h"
#include "plots/findings/findings.h"
#include "plots/findings/report_facts.h"

namespace moescope {

/// A figure of the page: drawn lines, a heatmap that the page's script draws, or a sentence where all is
/// zero.
struct PageFigure {
  Figure figure;
  std::string title;  // without the choice that the page leaves to the reader
  std::string section;
  enum class Look { lines, heatmap, zero } look = Look::lines;
  std::string wide_svg = {}, narrow_svg = {};  // lines, for inline use
};

/// `text` with every {{NAME}} replaced; what is put in is not searched again. Throws std::logic_error for an
/// unknown name.
std::string fill_template(std::string_view text,
                          const std::vector<std::pair<std::string_view, std::string>>& values);

std::string headlines_html(const std::vector<Headline>& headlines);
/// A list of them; nothing where there are none.
std::string notes_html(const std::vector<std::string>& notes);
std::string findings_html(const std::vector<std::string>& findings);
std::string definitions_html(const std::vector<std::pair<std::string, std::string>>& entries);
/// Sections with their headings and figures, in order.
std::string sections_html(const std::vector<PageFigure>& figures);
std::string navigation_html(const std::vector<PageFigure>& figures);
std::string checkpoint_table_html(const ReportFacts& facts);
/// Nothing when nothing was left out.
std::string omitted_html(const std::vector<std::pair<std::string, std::string>>& omitted);

}  // namespace moescope
