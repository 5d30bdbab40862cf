#include "plots/gnuplot/svg.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "plots/figure/figure_text.h"
#include "plots/figure/theme.h"

namespace moescope {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// Removes everything from `begin` up to and with `end`, wherever it occurs.
void remove_all(std::string& text, std::string_view begin, std::string_view end) {
  for (std::size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at)) {
    const std::size_t stop = text.find(end, at + begin.size());
    if (stop == std::string::npos) return;
    text.erase(at, stop + end.size() - at);
  }
}

/// Removes groups without content; gnuplot writes one for every change of the pen.
void remove_empty_groups(std::string& text) {
  constexpr std::string_view end = ">\n</g>\n";
  std::string kept;
  std::size_t begin = 0;
  for (std::size_t at = text.find(end); at != std::string::npos; at = text.find(end, at + end.size())) {
    const std::size_t open = text.rfind('<', at);
    if (text.compare(open, 3, "<g ") != 0) continue;
    kept.append(text, begin, open - begin);
    begin = at + end.size();
  }
  text = kept.append(text, begin, std::string::npos);
}

/// Names of the variables and their colours on light and dark ground.
struct ThemeVariable {
  std::string name;
  Color light, dark;
};
std::vector<ThemeVariable> variables() {
  const Theme& light = theme(Ground::light);
  const Theme& dark = theme(Ground::dark);
  std::vector<ThemeVariable> all = {{"--figure-paper", light.paper, dark.paper},
                                    {"--figure-ink", light.ink, dark.ink},
                                    {"--figure-muted", light.muted, dark.muted},
                                    {"--figure-grid", light.grid, dark.grid},
                                    {"--figure-chance", light.chance, dark.chance}};
  for (std::size_t i = 0; i < categorical_colors; ++i) {
    all.push_back({"--figure-line-" + std::to_string(i), categorical_color(i, Ground::light),
                   categorical_color(i, Ground::dark)});
  }
  for (std::size_t step = 0; step < sequence_steps; ++step) {
    all.push_back({"--figure-step-" + std::to_string(step), sequence_step_color(step, Ground::light),
                   sequence_step_color(step, Ground::dark)});
  }
  return all;
}

/// The colour as gnuplot writes it: "rgb( 28,  33,  41)" for lines, "rgb(28,33,41)" for text.
std::string gnuplot_rgb(Color color, const char* format) {
  char text[32];
  std::snprintf(text, sizeof text, format, color.red, color.green, color.blue);
  return text;
}

/// One tag with its ids prefixed and its colours replaced by variables.
std::string inline_tag(std::string tag, std::string_view prefix) {
  static const std::vector<ThemeVariable> all = variables();
  for (const char* start : {"id='", "id=\"", "href='#", "href=\"#", "url(#"}) {
    replace_all(tag, start, start + std::string(prefix));
  }
  if (tag.find("rgb(") == std::string::npos && tag.find("\"#") == std::string::npos) return tag;
  for (const ThemeVariable& variable : all) {
    for (const char* format : {"rgb(%3d, %3d, %3d)", "rgb(%d,%d,%d)"}) {
      replace_all(tag, gnuplot_rgb(variable.light, format), "var(" + variable.name + ")");
    }
    replace_all(tag, '"' + hex(variable.light) + '"', "\"var(" + variable.name + ")\"");
  }
  return tag;
}

}  // namespace

std::string escape_markup(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string tidy_svg(std::string_view gnuplot_svg, const Figure& figure) {
  std::string svg(gnuplot_svg);
  remove_all(svg, "<title>gnuplot_plot_", "</title>");
  remove_all(svg, "<title>Gnuplot", "</title>");
  remove_all(svg, "<desc>Produced by", "</desc>");
  remove_all(svg, "<filter", "</filter>");
  remove_empty_groups(svg);
  const std::string family = "font-family=\"" + std::string(figure_font_fallbacks) + '"';
  replace_all(svg, "font-family=\"" + std::string(figure_font) + ":Bold\"", family + " font-weight=\"bold\"");
  replace_all(svg, "font-family=\"" + std::string(figure_font) + '"', family);
  replace_all(svg, "preserveAspectRatio='none'",
              "preserveAspectRatio='none' style='image-rendering:pixelated'");
  const std::size_t canvas = svg.find("<g id=\"gnuplot_canvas\"");
  if (canvas != std::string::npos) {
    svg.insert(canvas, "<title>" + escape_markup(figure.title) + "</title>\n<desc>" +
                           escape_markup(figure.caption) + "</desc>\n");
  }
  return svg;
}

std::string inline_svg(std::string_view svg, std::string_view prefix) {
  svg.remove_prefix(std::min(svg.find("<svg"), svg.size()));
  std::string result;
  while (!svg.empty()) {
    const std::size_t begin = std::min(svg.find('<'), svg.size());
    result += svg.substr(0, begin);
    svg.remove_prefix(begin);
    const std::size_t end = svg.find('>');
    const std::size_t length = end == std::string_view::npos ? svg.size() : end + 1;
    result += inline_tag(std::string(svg.substr(0, length)), prefix);
    svg.remove_prefix(length);
  }
  return result;
}

std::string theme_variables(bool dark) {
  std::string css;
  for (const ThemeVariable& variable : variables()) {
    css += variable.name + ':' + hex(dark ? variable.dark : variable.light) + ';';
  }
  return css;
}

}  // namespace moescope
