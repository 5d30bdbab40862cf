#pragma once
/// Limits and ticks of axes, at numbers that a reader would choose.

#include <cstddef>
#include <string>
#include <vector>

#include "plots/figure/figure.h"

namespace moescope {

struct Tick {
  double position = 0;  // in the axis' units
  std::string label;
};

/// An axis with its limits decided. They differ; an axis that runs downwards has its larger limit as minimum.
struct AxisRange {
  double minimum = 0, maximum = 1;
  bool logarithmic = false;
  std::vector<Tick> ticks;

  /// 0 at the minimum, 1 at the maximum.
  double fraction(double value) const;
};

/// Limits for values from `low` to `high`, a little beyond them, with about `count` ticks. Fixed limits of
/// `axis` win.
AxisRange value_range(const Axis& axis, double low, double high, std::size_t count);

/// Limits exactly from `low` to `high`; as many ticks as fit into `pixels`.
AxisRange position_range(const Axis& axis, double low, double high, double pixels, double font_size);

/// Ticks at 0, 1, 2 … for `labels`: every one, or every second, fifth … so that they do not touch when each
/// may take `pixels` in all along the axis. `vertical` axes need a line's height, horizontal ones the label's
/// width.
std::vector<Tick> label_ticks(const std::vector<std::string>& labels, double pixels, double font_size,
                              bool vertical);

}  // namespace moescope
