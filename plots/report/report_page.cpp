#include "plots/report/report_page.h"

#include <algorithm>
#include <functional>
#include <stdexcept>

#include "metrics/catalogue/catalogue.h"
#include "plots/figure/figure_text.h"
#include "plots/gnuplot/svg.h"
#include "readers/recorded/recorded_notes.h"

namespace moescope {
namespace {

/// "load-balance" of "Load balance".
std::string anchor(std::string_view section) {
  std::string name;
  for (const char c : section)
    name += c == ' ' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

/// A small curve without axes, 100 wide and 24 high.
std::string curve_svg(const std::vector<double>& values) {
  double low = INFINITY, high = -INFINITY;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (values.size() < 2 || !(high > low)) return {};
  std::string points;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) continue;
    const double x = 100 * static_cast<double>(i) / static_cast<double>(values.size() - 1);
    points += format_number(x) + ',' + format_number(24 - 24 * (values[i] - low) / (high - low)) + ' ';
  }
  return "<svg viewBox=\"0 0 100 24\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><polyline points=\"" +
         points + "\"/></svg>";
}

std::string details_html(const Figure& figure) {
  std::string html = "<p class=\"details\">";
  if (!figure.formula.empty()) html += "<span><code>" + escape_markup(figure.formula) + "</code></span> ";
  for (const Reference& reference : figure.references) {
    if (reference.label.empty()) continue;
    html += "<span>" + escape_markup(reference.label) + "</span> ";
  }
  if (!figure.source.empty()) html += "<span>Source: " + escape_markup(figure.source) + "</span>";
  return html + "</p>\n";
}

std::string figure_html(const PageFigure& page) {
  const Figure& figure = page.figure;
  std::string html = "<figure id=\"figure-" + figure.id + "\">\n<h3>" + escape_markup(page.title) +
                     "</h3>\n<p class=\"caption\">" + escape_markup(figure.caption) + "</p>\n";
  if (page.look == PageFigure::Look::zero) {
    html += "<p class=\"zero\">Every value is 0.</p>\n" + details_html(figure);
  } else if (page.look == PageFigure::Look::heatmap) {
    html += "<div class=\"chart heatmap\" data-figure=\"" + figure.id + "\"></div>\n" + details_html(figure);
  } else {
    html += "<div class=\"chart\" data-figure=\"" + figure.id + "\">\n<div class=\"wide\">" + page.wide_svg +
            "</div>\n<div class=\"narrow\">" + page.narrow_svg + "</div>\n</div>\n" + details_html(figure) +
            "<details class=\"numbers\"><summary>Numbers</summary></details>\n";
  }
  return html + "</figure>\n";
}

std::string cell(const std::string& text) {
  return "<td>" + escape_markup(text) + "</td>";
}

template <class Member>
std::vector<std::string> column(const std::vector<CheckpointFacts>& checkpoints, Member member,
                                int digits = 4) {
  std::vector<double> values;
  for (const CheckpointFacts& checkpoint : checkpoints) values.push_back(std::invoke(member, checkpoint));
  return format_column(values, digits);
}

/// Means over layers; where a layer has no value, over how many it is.
std::vector<std::string> summary_column(const std::vector<CheckpointFacts>& checkpoints,
                                        const Metric& metric) {
  std::vector<std::string> cells = column(
      checkpoints, [&](const CheckpointFacts& c) { return c.of(metric.name).mean; }, metric.summary->digits);
  for (std::size_t c = 0; c < cells.size(); ++c) {
    const LayerFacts& layers = checkpoints[c].of(metric.name);
    if (layers.known() == 0 || !layers.is_partial()) continue;
    cells[c] += " (" + std::to_string(layers.known()) + " of " + std::to_string(layers.layers.size()) + ")";
  }
  return cells;
}

/// What the table of checkpoints tells beside their names: headings and cells.
std::vector<std::pair<std::string, std::vector<std::string>>> table_columns(
    const std::vector<CheckpointFacts>& all) {
  std::vector<std::pair<std::string, std::vector<std::string>>> columns = {
      {"Loss", column(all, &CheckpointFacts::loss)},
      {"Perplexity", column(all, &CheckpointFacts::perplexity)}};
  for (const Metric& metric : metric_catalogue()) {
    if (metric.summary && !metric.summary->column.empty())
      columns.emplace_back(metric.summary->column, summary_column(all, metric));
  }
  return columns;
}

}  // namespace

std::string fill_template(std::string_view text,
                          const std::vector<std::pair<std::string_view, std::string>>& values) {
  std::string filled;
  for (std::size_t open = text.find("{{"); open != std::string_view::npos; open = text.find("{{")) {
    const std::size_t close = text.find("}}", open);
    const std::string_view name = text.substr(open + 2, close - open - 2);
    const auto value =
        std::find_if(values.begin(), values.end(), [&](const auto& entry) { return entry.first == name; });
    if (value == values.end())
      throw std::logic_error("report.html: nothing fills {{" + std::string(name) + "}}");
    filled += text.substr(0, open);
    filled += value->second;
    text.remove_prefix(close + 2);
  }
  filled += text;
  return filled;
}

std::string headlines_html(const std::vector<Headline>& headlines) {
  std::string html;
  for (const Headline& headline : headlines) {
    html += "<div class=\"headline\"><dt>" + escape_markup(headline.name) +
            "</dt><dd><span class=\"value\">" + escape_markup(headline.value) + "<span class=\"change\">" +
            escape_markup(headline.change) + "</span></span>" + curve_svg(headline.history) +
            "<div class=\"meaning\">" + escape_markup(headline.meaning) + "</div></dd></div>\n";
  }
  return html;
}

std::string notes_html(const std::vector<std::string>& notes) {
  if (notes.empty()) return {};
  std::string html = "<section class=\"notes\">\n<h2 id=\"notes\">Notes</h2>\n<ul>\n";
  for (const std::string& note : notes) {
    html += (note.starts_with(warning_mark) ? "<li class=\"warning\">" : "<li>") + escape_markup(note) +
            "</li>\n";
  }
  return html + "</ul>\n</section>\n";
}

std::string findings_html(const std::vector<std::string>& findings) {
  std::string html;
  for (const std::string& finding : findings) html += "<li>" + escape_markup(finding) + "</li>\n";
  return html;
}

std::string definitions_html(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string html;
  for (const auto& [name, value] : entries) {
    html += "<dt>" + escape_markup(name) + "</dt><dd>" + escape_markup(value) + "</dd>\n";
  }
  return html;
}

std::string sections_html(const std::vector<PageFigure>& figures) {
  std::string html, section;
  for (const PageFigure& page : figures) {
    if (page.section != section) {
      html += (section.empty() ? "" : "</section>\n") + std::string("<section>\n<h2 id=\"") +
              anchor(page.section) + "\">" + escape_markup(page.section) + "</h2>\n";
      section = page.section;
    }
    html += figure_html(page);
  }
  return section.empty() ? html : html + "</section>\n";
}

std::string navigation_html(const std::vector<PageFigure>& figures) {
  std::string html = "<ul>\n<li><a href=\"#findings\">Overview</a></li>\n", section;
  for (const PageFigure& page : figures) {
    if (page.section == section) continue;
    section = page.section;
    html += "<li><a href=\"#" + anchor(section) + "\">" + escape_markup(section) + "</a></li>\n";
  }
  return html +
         "<li><a href=\"#checkpoints\">Checkpoints</a></li>\n"
         "<li><a href=\"#provenance\">Provenance</a></li>\n"
         "</ul>\n";
}

std::string checkpoint_table_html(const ReportFacts& facts) {
  const std::vector<CheckpointFacts>& all = facts.checkpoints;
  const auto columns = table_columns(all);
  std::string html = "<table>\n<thead><tr><th>Checkpoint</th><th>Tokens</th><th>Phase</th>";
  for (const auto& [heading, numbers] : columns) html += "<th>" + escape_markup(heading) + "</th>";
  html += "</tr></thead>\n<tbody>\n";
  const std::vector<std::string> tokens = format_tokens_column(facts.labels.tokens_seen);
  for (std::size_t c = 0; c < all.size(); ++c) {
    html += "<tr>" + cell(all[c].name) + cell(tokens[c]) + cell(all[c].phase.empty() ? "–" : all[c].phase);
    for (const auto& [heading, numbers] : columns) html += cell(numbers[c]);
    html += "</tr>\n";
  }
  return html + "</tbody>\n</table>";
}

std::string omitted_html(const std::vector<std::pair<std::string, std::string>>& omitted) {
  if (omitted.empty()) return {};
  return "<section>\n<h2 id=\"omitted\">Figures left out</h2>\n<dl class=\"glance\">\n" +
         definitions_html(omitted) + "</dl>\n</section>\n";
}

}  // namespace moescope
