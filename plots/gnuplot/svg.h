#pragma once
/// Turns gnuplot's SVG into what we hand out: accessible, portable, fit to stand in an HTML page.

#include <string>
#include <string_view>

#include "plots/figure/figure.h"

namespace moescope {

/// With the figure's title and caption for screen readers, fallback fonts, bold as a weight, and heatmap
/// cells with sharp edges.
std::string tidy_svg(std::string_view gnuplot_svg, const Figure& figure);

/// For use inside an HTML document: no XML declaration, every id begins with `prefix`, and the colours of the
/// light theme are the CSS variables of theme_variables(), so that the page decides on them.
std::string inline_svg(std::string_view svg, std::string_view prefix);

/// CSS declarations, e.g. "--figure-ink:#1c2129;", of every variable that inline_svg() uses.
std::string theme_variables(bool dark);

/// `text` with &, <, >, " and ' as entities; wrong bytes and control characters as printable().
std::string escape_markup(std::string_view text);

}  // namespace moescope
