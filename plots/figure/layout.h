#pragma once
/// Where everything of a figure stands, in pixels from the top left corner. Pure arithmetic, so that the
/// picture and what reacts to a pointer above it agree to the pixel.

#include <cstddef>
#include <string>
#include <vector>

#include "plots/figure/axis_range.h"
#include "plots/figure/figure.h"

namespace moescope {

struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
  double width() const { return right - left; }
  double height() const { return bottom - top; }
};

/// The name of a line, beside its last point.
struct EndLabel {
  std::size_t series = 0;
  std::string text;   // shortened to what fits
  double y = 0;       // of the text's centre
  double line_y = 0;  // of the line's last point
};

/// The name of a point of a line, around the centre (x, y).
struct PointLabel {
  std::size_t series = 0;
  std::string text;
  double x = 0, y = 0;
};

struct PanelLayout {
  Box plot;
  double title_y = 0;  // baselines: of the panel's title, of the y axis' label
  double label_y = 0;
  double x_label_y = 0;
  AxisRange x, y;
  std::vector<EndLabel> end_labels;      // of lines by category, but not in a plane
  std::vector<PointLabel> point_labels;  // in a plane
};

struct FigureLayout {
  double width = 0, height = 0;
  double font_size = 13, small_font_size = 12;
  double left = 0;     // where titles begin
  double title_y = 0;  // baseline; 0: no title
  Box key;             // the strip of colours; no width: none
  double key_label_y = 0;
  std::vector<Tick> key_ticks;  // positions from 0 to 1 along the strip
  std::vector<PanelLayout> panels;

  bool has_key() const { return key.width() > 0; }
};

/// `height` 0: what suits the figure.
FigureLayout lay_out(const Figure& figure, double width, double height, bool with_title);

}  // namespace moescope
