#include "plots/figure/layout.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "plots/figure/figure_text.h"
#include "plots/figure/point_labels.h"
#include "plots/figure/theme.h"

namespace moescope {
namespace {

constexpr double edge = 10;         // between the picture's border and anything in it
constexpr double panel_gap = 26;    // between panels
constexpr double key_height = 10;   // of the colour strip
constexpr double widest_cell = 46;  // of a heatmap

bool is_heatmap(const Figure& figure) {
  return !figure.panels.empty() && figure.panels[0].heatmap.has_value();
}

struct Extent {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void add(const std::vector<double>& values) {
    for (const double value : values) add(value);
  }
  bool empty() const { return low > high; }
  double span() const { return high - low; }
};

/// The y values of all panels, which share one axis, and the references that are not far away from them.
Extent value_extent(const Figure& figure) {
  Extent extent;
  for (const Panel& panel : figure.panels) {
    for (const Series& series : panel.series) {
      extent.add(series.y);
      extent.add(series.low);
      extent.add(series.high);
    }
  }
  if (extent.empty()) return {0, 1};
  const Extent data = extent;
  for (const Reference& reference : figure.references) {
    const double reach = 0.6 * data.span(), high = reference.high.value_or(reference.value);
    if (reference.value < data.low - reach || high > data.high + reach) continue;
    extent.add(reference.value);
    extent.add(high);
  }
  return extent;
}

Extent position_extent(const Figure& figure) {
  Extent extent;
  for (const Panel& panel : figure.panels) {
    for (const Series& series : panel.series) extent.add(series.x);
  }
  return extent.empty() ? Extent{0, 1} : extent;
}

double widest(const std::vector<Tick>& ticks, double font_size) {
  double width = 0;
  for (const Tick& tick : ticks) width = std::max(width, text_width(tick.label, font_size));
  return width;
}

std::size_t panel_columns(const Figure& figure, double width) {
  if (figure.panels.size() < 2 || width < 640) return 1;
  if (!is_heatmap(figure)) return 2;
  return figure.panels[0].heatmap->column_labels.size() <= 64 ? 2 : 1;
}

/// Space left and right of a plot for tick labels and the names of lines.
std::pair<double, double> side_margins(const Figure& figure, const FigureLayout& layout, const AxisRange& y) {
  if (is_heatmap(figure)) {
    double labels = 0;
    for (const std::string& label : figure.panels[0].heatmap->row_labels) {
      labels = std::max(labels, text_width(printable(label), layout.small_font_size));
    }
    const double last =
        text_width(printable(figure.panels[0].heatmap->column_labels.back()), layout.small_font_size);
    return {std::min(labels, 0.3 * layout.width) + 10, std::max(edge, last / 2)};
  }
  double names = 0;
  if (figure.line_colors == LineColors::categories && !figure.plane) {
    for (const Panel& panel : figure.panels) {
      for (const Series& series : panel.series) {
        names = std::max(names, text_width(printable(series.label), layout.small_font_size));
      }
    }
  }
  const double right =
      names > 0 ? std::min(names, (layout.width < 520 ? 0.24 : 0.18) * layout.width) + 24 : 24;
  return {widest(y.ticks, layout.small_font_size) + 10, right};
}

/// Limits that are `length` apart, around the middle of `extent`.
AxisRange around(Axis axis, const Extent& extent, double length) {
  const double middle = (extent.low + extent.high) / 2;
  axis.minimum = middle - length / 2;
  axis.maximum = middle + length / 2;
  return value_range(axis, *axis.minimum, *axis.maximum, 6);
}

/// One unit takes as many pixels in both directions, and there is room for the names of points.
void set_plane_ranges(const Figure& figure, PanelLayout& place) {
  constexpr double room = 1.2;
  const Extent x = position_extent(figure), y = value_extent(figure);
  const double unit = room * std::max(x.span() / place.plot.width(), y.span() / place.plot.height());
  const double per_pixel = unit > 0 ? unit : 1 / place.plot.width();
  place.x = around(figure.x, x, per_pixel * place.plot.width());
  place.y = around(figure.y, y, per_pixel * place.plot.height());
}

/// 1/4, 1/2, 1, 2, 4: the steps of a scale around 1.
std::vector<Tick> doubling_ticks(const ColorScale& scale) {
  std::vector<Tick> ticks;
  for (double value = scale.minimum; value <= scale.maximum * (1 + 1e-9); value *= 2) {
    ticks.push_back(
        {color_position(scale, value), value < 1 ? "1/" + format_number(1 / value) : format_number(value)});
  }
  return ticks;
}

/// Round values along a scale, at least two, or three where it has a middle; its ends where there are too
/// few.
std::vector<Tick> scale_ticks(const ColorScale& scale) {
  const Axis axis = {.label = {},
                     .logarithmic = scale.logarithmic,
                     .minimum = scale.minimum,
                     .maximum = scale.maximum,
                     .tick_labels = {},
                     .tick_suffix = {}};
  std::vector<Tick> ticks = value_range(axis, scale.minimum, scale.maximum, 4).ticks;
  if (ticks.size() < (scale.centre ? 3 : 2)) {
    ticks = {{scale.minimum, format_number(scale.minimum, 2)}};
    if (scale.centre) ticks.push_back({*scale.centre, format_number(*scale.centre, 2)});
    if (scale.maximum > scale.minimum) ticks.push_back({scale.maximum, format_number(scale.maximum, 2)});
  }
  for (Tick& tick : ticks) tick.position = color_position(scale, tick.position);
  return ticks;
}

/// Ticks along the strip of colours: the ordered things' names, or round values.
std::vector<Tick> key_ticks(const Figure& figure, double strip, double font_size) {
  std::vector<Tick> ticks;
  if (figure.color_scale) {
    const ColorScale& scale = *figure.color_scale;
    if (scale.centre && scale.logarithmic) return doubling_ticks(scale);
    return scale_ticks(scale);
  }
  const auto count = static_cast<double>(figure.color_key.size());
  for (const Tick& tick : label_ticks(figure.color_key, strip, font_size, false)) {
    ticks.push_back({(tick.position + 0.5) / count, printable(tick.label)});
  }
  return ticks;
}

/// Title and colour key; returns where the panels begin.
double lay_out_header(const Figure& figure, bool with_title, FigureLayout& layout) {
  double y = edge;
  if (with_title) {
    layout.title_y = y + 1.2 * layout.font_size;
    y += 2.1 * layout.font_size;
  }
  if (!figure.color_scale && figure.color_key.empty()) return y;
  const std::string& label = figure.color_scale ? figure.color_scale->label : figure.color_key_label;
  const double label_end = layout.left + text_width(label, layout.small_font_size) + 12;
  const bool beside = label_end + 150 <= layout.width - edge;
  layout.key_label_y = y + layout.small_font_size;
  const double top = beside ? y + layout.small_font_size - key_height : y + 1.6 * layout.small_font_size;
  const double left = beside ? label_end : layout.left;
  layout.key = {left, top, std::min(left + 260, layout.width - edge - 10), top + key_height};
  layout.key_ticks = key_ticks(figure, layout.key.width(), layout.small_font_size);
  return layout.key.bottom + 2.2 * layout.small_font_size;
}

double plot_height(const Figure& figure, const FigureLayout& layout, double plot_width) {
  if (!is_heatmap(figure))
    return layout.width < 520 ? 0.62 * layout.width : std::min(0.36 * layout.width, 340.0);
  const Heatmap& map = *figure.panels[0].heatmap;
  const double cell = plot_width / static_cast<double>(std::max<std::size_t>(map.column_labels.size(), 1));
  const auto rows = static_cast<double>(map.row_labels.size());
  return std::clamp(rows * std::clamp(cell, 5.0, 26.0), std::min(rows * 14, 60.0), std::max(rows * 5, 480.0));
}

/// The names of lines at the height of their last points, moved apart until none covers another.
std::vector<EndLabel> end_labels(const Panel& panel, const PanelLayout& place, double room,
                                 double font_size) {
  std::vector<EndLabel> labels;
  for (std::size_t i = 0; i < panel.series.size(); ++i) {
    const std::vector<double>& y = panel.series[i].y;
    const auto last = std::find_if(y.rbegin(), y.rend(), [](double value) { return std::isfinite(value); });
    if (last == y.rend()) continue;
    const double line_y = place.plot.bottom - place.y.fraction(*last) * place.plot.height();
    labels.push_back({i, shorten(printable(panel.series[i].label), room, font_size), line_y, line_y});
  }
  std::stable_sort(labels.begin(), labels.end(), [](const auto& a, const auto& b) { return a.y < b.y; });
  const double line =
      std::min(1.25 * font_size, place.plot.height() / static_cast<double>(labels.size() + 1));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double above = i == 0 ? place.plot.top - line / 2 : labels[i - 1].y;
    labels[i].y = std::max(labels[i].y, above + line);
  }
  double below = place.plot.bottom + line;
  for (auto label = labels.rbegin(); label != labels.rend(); ++label) {
    label->y = std::min(label->y, below - line);
    below = label->y;
  }
  return labels;
}

AxisRange heatmap_rows(const Figure& figure, const Heatmap& map, double pixels, double font_size) {
  const auto count = static_cast<double>(map.row_labels.size());
  AxisRange range = {.minimum = -0.5, .maximum = count - 0.5, .logarithmic = false, .ticks = {}};
  if (!figure.rows_upward) std::swap(range.minimum, range.maximum);
  range.ticks = label_ticks(map.row_labels, pixels, font_size, true);
  return range;
}

void set_ranges(const Figure& figure, const Panel& panel, const FigureLayout& layout, const AxisRange& y,
                PanelLayout& place) {
  const double small = layout.small_font_size;
  if (panel.heatmap) {
    const auto columns = static_cast<double>(panel.heatmap->column_labels.size());
    place.x = {.minimum = -0.5, .maximum = columns - 0.5, .logarithmic = false, .ticks = {}};
    place.x.ticks = label_ticks(panel.heatmap->column_labels, place.plot.width(), small, false);
    place.y = heatmap_rows(figure, *panel.heatmap, place.plot.height(), small);
    return;
  }
  if (figure.plane) return set_plane_ranges(figure, place);
  const Extent x = position_extent(figure);
  place.x = position_range(figure.x, x.low, x.high, place.plot.width(), small);
  place.y = y;
}

}  // namespace

FigureLayout lay_out(const Figure& figure, double width, double height, bool with_title) {
  FigureLayout layout;
  layout.width = width;
  layout.left = edge;
  if (width < 520) layout.font_size = 12.5, layout.small_font_size = 11.5;
  const double small = layout.small_font_size;
  const Extent values = value_extent(figure);
  const AxisRange y = value_range(figure.y, values.low, values.high, 6);
  const auto [left, right] = side_margins(figure, layout, y);
  double top = lay_out_header(figure, with_title, layout);

  const std::size_t count = std::max<std::size_t>(figure.panels.size(), 1);
  const std::size_t columns = panel_columns(figure, width), rows = (count + columns - 1) / columns;
  const double slot =
      (width - edge - static_cast<double>(columns - 1) * panel_gap) / static_cast<double>(columns);
  double plot_width = slot - left - right;
  if (is_heatmap(figure)) {
    const auto cells = static_cast<double>(figure.panels[0].heatmap->column_labels.size());
    plot_width = std::min(plot_width, cells * widest_cell);
  }
  const bool titled = count > 1;
  const double above = (titled ? 1.7 * layout.font_size : 0) + 2.1 * small, below = 4 * small;
  double inner = plot_height(figure, layout, plot_width);
  if (height > 0) inner = std::max((height - top) / static_cast<double>(rows) - above - below - edge, 40.0);

  for (std::size_t i = 0; i < figure.panels.size(); ++i) {
    PanelLayout place;
    const double x = edge + static_cast<double>(i % columns) * (slot + panel_gap) + left;
    const double begin = top + static_cast<double>(i / columns) * (above + inner + below + edge);
    place.plot = {x, begin + above, x + plot_width, begin + above + inner};
    place.title_y = begin + layout.font_size;
    place.label_y = begin + above - 1.1 * small;
    place.x_label_y = place.plot.bottom + 3.3 * small;
    set_ranges(figure, figure.panels[i], layout, y, place);
    if (figure.plane) {
      place.point_labels = place_point_labels(figure.panels[i], place, 0.92 * small);
    } else if (figure.line_colors == LineColors::categories && !figure.panels[i].heatmap) {
      place.end_labels = end_labels(figure.panels[i], place, right - 22, small);
    }
    layout.panels.push_back(std::move(place));
  }
  layout.height = height > 0 ? height : top + static_cast<double>(rows) * (above + inner + below + edge);
  return layout;
}

}  // namespace moescope
