#pragma once
/// A figure is data until it is drawn: what is shown, how to read it, and where it comes from.
/// All text is UTF-8 and may hold any character: whoever draws it escapes it.

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace moescope {

struct Axis {
  std::string label;  // with its unit, e.g. "training tokens (trillions)"
  bool logarithmic = false;
  std::optional<double> minimum, maximum;  // absent: from the data
  std::vector<std::string> tick_labels;    // of the positions 0, 1, 2 …; empty: numbers
  std::string tick_suffix;                 // " T" turns the tick 5 into "5 T"
};

/// One line of a panel. All vectors have the same length, except an absent band.
struct Series {
  std::string label;
  std::vector<double> x, y;       // NaN: a gap
  std::vector<double> low, high;  // band around y, e.g. 5 % and 95 %; empty: none
  std::size_t color = 0;          // index into the figure's categories, or position in its colour key
  bool total = false;             // stands for all others together: drawn in ink, whatever its colour
  std::vector<std::string> point_labels = {};  // in a plane: the names of the points, as far as they fit
};

/// A horizontal line that tells how to read the values: a chance level or a bound. Or a band, where it
/// differs from line to line.
struct Reference {
  double value = 0;
  std::string label;                // "chance 0.25", "upper bound 1"
  std::optional<double> high = {};  // of a band, which begins at `value`
};

/// A matrix drawn in colour. Row 0 is at the bottom when `rows_upward`, else at the top.
struct Heatmap {
  std::vector<std::string> row_labels, column_labels;
  std::vector<double> values;  // (rows, columns) row-major; NaN: does not exist, drawn as background
};

/// What the colours of heatmaps mean; the same for all panels of a figure.
struct ColorScale {
  std::string label;  // with its unit
  double minimum = 0, maximum = 1;
  bool logarithmic = false;
  std::optional<double> centre = {};  // a diverging scale around this value, e.g. 1 = uniform load
};

/// Lines, or one heatmap.
struct Panel {
  std::string title;  // empty when the figure has one panel
  std::vector<Series> series;
  std::optional<Heatmap> heatmap;
};

/// How the colours of lines are chosen.
enum class LineColors {
  categories,  // unordered things (domains, roles): distinct hues, labelled at the line's end
  sequence,    // ordered things (layers): one sequential palette with a colour key
};

struct Figure {
  std::string id;  // "router_saturation": names the file, and `moescope plot run.h5 ID`
  std::string title;
  std::string caption;  // what it shows and how to read it, in a sentence or two
  std::string formula;  // one line of plain text; may be empty
  std::string source;   // paper and equation; may be empty
  Axis x, y;
  LineColors line_colors = LineColors::categories;
  std::string color_key_label;            // "MoE layer"; used with LineColors::sequence
  std::vector<std::string> color_key;     // labels of the sequence, in order; Series::color indexes it
  std::vector<Reference> references;      // chance levels and bounds
  std::optional<ColorScale> color_scale;  // of heatmaps
  bool rows_upward = false;
  bool plane = false;  // both axes measure the same thing, and one unit of both is equally long
  std::vector<Panel> panels;
};

/// Whether there is anything but NaN to draw, and whether that is nothing but 0.
bool has_number(const Figure& figure);
bool is_all_zero(const Figure& figure);

}  // namespace moescope
