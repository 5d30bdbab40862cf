#include "plots/figure/point_labels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "plots/figure/figure_text.h"

namespace moescope {
namespace {

constexpr double point_radius = 4;
constexpr int line_samples = 12;  // of a line between two points

struct Point {
  double x = 0, y = 0;
};

bool overlap(const Box& a, const Box& b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

bool contains(const Box& box, Point point) {
  return point.x > box.left && point.x < box.right && point.y > box.top && point.y < box.bottom;
}

/// What names must not cover, and what they should not.
struct Obstacles {
  std::vector<Box> taken;
  std::vector<Point> lines;

  void add_series(const std::vector<Point>& points) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto [x, y] = points[i];
      taken.push_back({x - point_radius, y - point_radius, x + point_radius, y + point_radius});
      for (int sample = 1; i > 0 && sample < line_samples; ++sample) {
        const double share = static_cast<double>(sample) / line_samples;
        lines.push_back({points[i - 1].x + share * (x - points[i - 1].x),
                         points[i - 1].y + share * (y - points[i - 1].y)});
      }
    }
  }
  bool free(const Box& box) const {
    return std::none_of(taken.begin(), taken.end(), [&](const Box& other) { return overlap(box, other); });
  }
  auto covered(const Box& box) const {
    return std::count_if(lines.begin(), lines.end(), [&](Point point) { return contains(box, point); });
  }
};

/// Where a name of this size may stand around its point, the preferred places first.
std::array<Box, 8> places_around(Point point, double width, double height) {
  const double gap = point_radius + 1, near = 0.7 * gap;
  const auto box = [&](double left, double top) {
    return Box{point.x + left, point.y + top, point.x + left + width, point.y + top + height};
  };
  return {box(gap, -height / 2),    box(-gap - width, -height / 2),    box(-width / 2, -gap - height),
          box(-width / 2, gap),     box(near, -near - height),         box(near, near),
          box(-near - width, near), box(-near - width, -near - height)};
}

std::vector<Point> pixels(const Series& series, const PanelLayout& place) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    points.push_back({place.plot.left + place.x.fraction(series.x[i]) * place.plot.width(),
                      place.plot.bottom - place.y.fraction(series.y[i]) * place.plot.height()});
  }
  return points;
}

/// 0, n-1, 1, 2 …
std::size_t nth_by_importance(std::size_t n, std::size_t count) {
  return n == 0 ? 0 : n == 1 ? count - 1 : n - 1;
}

/// Where a name covers least, if it has a place at all.
std::optional<Box> best_place(Point point, double width, double height, const Box& plot,
                              const Obstacles& obstacles) {
  const Box room = {plot.left - 2, plot.top - 2, plot.right + 14, plot.bottom - 1};
  std::optional<Box> best;
  if (!std::isfinite(point.x) || !std::isfinite(point.y)) return best;
  for (const Box& box : places_around(point, width, height)) {
    const bool inside =
        box.left >= room.left && box.right <= room.right && box.top >= room.top && box.bottom <= room.bottom;
    if (!inside || !obstacles.free(box)) continue;
    if (!best || obstacles.covered(box) < obstacles.covered(*best)) best = box;
  }
  return best;
}

}  // namespace

std::vector<PointLabel> place_point_labels(const Panel& panel, const PanelLayout& place, double font_size) {
  Obstacles obstacles;
  for (const Series& series : panel.series) obstacles.add_series(pixels(series, place));
  std::vector<PointLabel> labels;
  for (std::size_t s = 0; s < panel.series.size(); ++s) {
    const std::vector<Point> points = pixels(panel.series[s], place);
    const std::size_t count = std::min(points.size(), panel.series[s].point_labels.size());
    for (std::size_t n = 0; n < count; ++n) {
      const std::size_t i = nth_by_importance(n, count);
      const std::string text = shorten(printable(panel.series[s].point_labels[i]), 9 * font_size, font_size);
      const auto box =
          best_place(points[i], text_width(text, font_size), 1.1 * font_size, place.plot, obstacles);
      if (!box) continue;
      labels.push_back({s, text, (box->left + box->right) / 2, (box->top + box->bottom) / 2});
      obstacles.taken.push_back(*box);
    }
  }
  return labels;
}

}  // namespace moescope
