#include "plots/figure/figure.h"

#include <algorithm>
#include <cmath>

namespace moescope {
namespace {

/// Whether `is_such`(value) of any number that the figure draws.
template <class Predicate>
bool any_number(const Figure& figure, Predicate is_such) {
  const auto among = [&](const std::vector<double>& values) {
    return std::any_of(values.begin(), values.end(),
                       [&](double value) { return !std::isnan(value) && is_such(value); });
  };
  return std::any_of(figure.panels.begin(), figure.panels.end(), [&](const Panel& panel) {
    if (panel.heatmap) return among(panel.heatmap->values);
    return std::any_of(panel.series.begin(), panel.series.end(), [&](const Series& series) {
      return among(series.y) || among(series.low) || among(series.high) || (figure.plane && among(series.x));
    });
  });
}

}  // namespace

bool has_number(const Figure& figure) {
  return any_number(figure, [](double) { return true; });
}

bool is_all_zero(const Figure& figure) {
  return has_number(figure) && !any_number(figure, [](double value) { return value != 0; });
}

}  // namespace moescope
