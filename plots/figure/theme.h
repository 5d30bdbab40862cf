#pragma once
/// The look of every figure, in one place: colours that are told apart with any colour vision, sizes, fonts.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "plots/figure/figure.h"

namespace moescope {

struct Color {
  std::uint8_t red = 0, green = 0, blue = 0;
  bool operator==(const Color&) const = default;
};
/// "#1f77b4".
std::string hex(Color color);

/// Whether a figure stands on a light or a dark ground.
enum class Ground { light, dark };

/// Everything that is not data.
struct Theme {
  Color paper;  // background
  Color ink;    // titles, labels
  Color muted;  // tick labels, axis
  Color grid;
  Color chance;  // reference lines
};
const Theme& theme(Ground ground);

inline constexpr std::string_view figure_font = "DejaVu Sans";
/// What a browser takes where that font is missing.
inline constexpr std::string_view figure_font_fallbacks =
    "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

/// Distinct hues for unordered things; repeats after `categorical_colors`, then with another dash pattern.
inline constexpr std::size_t categorical_colors = 8;
Color categorical_color(std::size_t index, Ground ground);

/// Colour `index` of `count` ordered things, from dark to bright, legible as a thin line; one of
/// `sequence_steps`.
inline constexpr std::size_t sequence_steps = 64;
Color sequence_step_color(std::size_t step, Ground ground);
/// The step that the thing `index` of `count` has.
std::size_t sequence_step(std::size_t index, std::size_t count);

/// A colour for `position` in [0, 1]: perceptually uniform (viridis), or diverging around 0.5 (blue, white,
/// red).
Color sequential_color(double position);
Color diverging_color(double position);

/// Where `value` lies on `scale`, clamped to [0, 1]. A diverging scale has its centre at 0.5.
double color_position(const ColorScale& scale, double value);
/// The colour of `value`; `value` must not be NaN.
Color heatmap_color(const ColorScale& scale, double value);

}  // namespace moescope
