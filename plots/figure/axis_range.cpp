#include "plots/figure/axis_range.h"

#include <algorithm>
#include <cmath>

#include "plots/figure/figure_text.h"

namespace moescope {
namespace {

/// The step of 1, 2 or 5 times a power of ten that cuts `span` into at most `count` pieces.
double nice_step(double span, std::size_t count) {
  const double rough = span / static_cast<double>(std::max<std::size_t>(count, 1));
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

std::vector<Tick> linear_ticks(double low, double high, double step, const std::string& suffix) {
  std::vector<Tick> ticks;
  const auto first = static_cast<long long>(std::ceil(low / step - 1e-6));
  const auto last = static_cast<long long>(std::floor(high / step + 1e-6));
  for (long long i = first; i <= last; ++i) {
    const double position = static_cast<double>(i) * step;
    ticks.push_back({position, i == 0 ? "0" : format_number(position, 6) + suffix});
  }
  return ticks;
}

/// At powers of ten, thinned to about `count`; also at 2 and 5 when there are few; at round values when even
/// these are not enough to read a value from.
std::vector<Tick> logarithmic_ticks(double low, double high, std::size_t count) {
  std::vector<Tick> ticks;
  const int first = static_cast<int>(std::floor(std::log10(low))),
            last = static_cast<int>(std::ceil(std::log10(high)));
  const bool few = last - first <= 3;
  const int stride = std::max(1, (last - first) / static_cast<int>(std::max<std::size_t>(count, 1)));
  for (int decade = first; decade <= last; decade += stride) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double position = factor * std::pow(10.0, decade);
      const bool inside = position >= low * (1 - 1e-9) && position <= high * (1 + 1e-9);
      if (inside && (factor == 1.0 || few)) ticks.push_back({position, format_number(position)});
    }
  }
  return ticks.size() < 2 ? linear_ticks(low, high, nice_step(high - low, count), "") : ticks;
}

}  // namespace

double AxisRange::fraction(double value) const {
  if (!logarithmic) return (value - minimum) / (maximum - minimum);
  return std::log(value / minimum) / std::log(maximum / minimum);
}

AxisRange value_range(const Axis& axis, double low, double high, std::size_t count) {
  AxisRange range = {
      .minimum = low, .maximum = high, .logarithmic = axis.logarithmic && low > 0, .ticks = {}};
  if (range.logarithmic) {
    range.minimum = axis.minimum.value_or(low / 1.15);
    range.maximum = axis.maximum.value_or(high * 1.15);
    range.ticks = logarithmic_ticks(range.minimum, range.maximum, count);
    return range;
  }
  const double margin = high > low ? 0.05 * (high - low) : std::max(0.05 * std::abs(low), 0.5);
  const bool touches_zero = low >= 0 && low - margin < 0.1 * high;
  range.minimum = axis.minimum.value_or(touches_zero ? 0 : low - margin);
  range.maximum = axis.maximum.value_or(high + margin);
  if (!(range.maximum > range.minimum)) range.maximum = range.minimum + 1;
  const double step = nice_step(range.maximum - range.minimum, count);
  range.ticks = linear_ticks(range.minimum, range.maximum, step, axis.tick_suffix);
  return range;
}

AxisRange position_range(const Axis& axis, double low, double high, double pixels, double font_size) {
  const bool single = !(high > low);
  AxisRange range = {.minimum = single ? low - 0.5 : low,
                     .maximum = single ? high + 0.5 : high,
                     .logarithmic = false,
                     .ticks = {}};
  if (!axis.tick_labels.empty()) {
    std::vector<std::string> labels;
    for (const std::string& label : axis.tick_labels)
      labels.push_back(shorten(printable(label), 7 * font_size, font_size));
    range.ticks = label_ticks(labels, pixels, font_size, false);
    return range;
  }
  if (single) {
    range.ticks = {{low, format_number(low) + axis.tick_suffix}};
    return range;
  }
  const auto count = static_cast<std::size_t>(std::clamp(pixels / (6 * font_size), 2.0, 12.0));
  range.ticks = linear_ticks(low, high, nice_step(high - low, count), axis.tick_suffix);
  return range;
}

std::vector<Tick> label_ticks(const std::vector<std::string>& labels, double pixels, double font_size,
                              bool vertical) {
  double needed = 1.25 * font_size;
  if (!vertical) {
    for (const std::string& label : labels)
      needed = std::max(needed, text_width(label, font_size) + 0.8 * font_size);
  }
  const double room = pixels / static_cast<double>(std::max<std::size_t>(labels.size(), 1));
  std::size_t stride = 1;
  for (const std::size_t step : {2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000}) {
    if (room * static_cast<double>(stride) >= needed) break;
    stride = step;
  }
  std::vector<Tick> ticks;
  for (std::size_t i = 0; i < labels.size(); i += stride)
    ticks.push_back({static_cast<double>(i), labels[i]});
  return ticks;
}

}  // namespace moescope
