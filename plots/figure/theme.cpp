#include "plots/figure/theme.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

namespace moescope {
namespace {

constexpr Theme light_theme = {.paper = {255, 255, 255},
                               .ink = {28, 33, 41},
                               .muted = {92, 102, 115},
                               .grid = {228, 232, 237},
                               .chance = {122, 131, 143}};
constexpr Theme dark_theme = {.paper = {24, 28, 35},
                              .ink = {232, 236, 241},
                              .muted = {165, 174, 186},
                              .grid = {48, 55, 66},
                              .chance = {140, 150, 163}};

// After Okabe and Ito (2008), the light yellow replaced, each darkened or lightened until it reads on its
// ground.
constexpr std::array<Color, categorical_colors> light_categories = {{{0, 114, 178},
                                                                     {213, 94, 0},
                                                                     {0, 145, 106},
                                                                     {170, 74, 145},
                                                                     {214, 144, 0},
                                                                     {60, 160, 220},
                                                                     {125, 112, 10},
                                                                     {88, 98, 112}}};
constexpr std::array<Color, categorical_colors> dark_categories = {{{88, 172, 230},
                                                                    {255, 136, 71},
                                                                    {52, 204, 160},
                                                                    {229, 150, 206},
                                                                    {247, 190, 73},
                                                                    {146, 213, 250},
                                                                    {205, 192, 86},
                                                                    {172, 183, 196}}};

// Eleven stops of viridis (Smith and van der Walt, CC0) and of the RdBu scheme of ColorBrewer (Brewer,
// Apache 2.0).
constexpr std::array<Color, 11> viridis = {{{68, 1, 84},
                                            {72, 37, 118},
                                            {65, 68, 135},
                                            {53, 95, 141},
                                            {42, 120, 142},
                                            {33, 145, 140},
                                            {34, 168, 132},
                                            {68, 191, 112},
                                            {122, 209, 81},
                                            {189, 223, 38},
                                            {253, 231, 37}}};
constexpr std::array<Color, 11> blue_red = {{{5, 48, 97},
                                             {33, 102, 172},
                                             {67, 147, 195},
                                             {146, 197, 222},
                                             {209, 229, 240},
                                             {247, 247, 247},
                                             {253, 219, 199},
                                             {244, 165, 130},
                                             {214, 96, 77},
                                             {178, 24, 43},
                                             {103, 0, 31}}};

std::uint8_t mix(std::uint8_t a, std::uint8_t b, double share) {
  return static_cast<std::uint8_t>(std::lround(a + share * (b - a)));
}

Color interpolate(std::span<const Color> stops, double position) {
  const double place = std::clamp(position, 0.0, 1.0) * static_cast<double>(stops.size() - 1);
  const auto index = std::min(static_cast<std::size_t>(place), stops.size() - 2);
  const double share = place - static_cast<double>(index);
  const Color& a = stops[index];
  const Color& b = stops[index + 1];
  return {mix(a.red, b.red, share), mix(a.green, b.green, share), mix(a.blue, b.blue, share)};
}

}  // namespace

std::string hex(Color color) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text = "#";
  for (const std::uint8_t part : {color.red, color.green, color.blue}) {
    text += digits[part >> 4];
    text += digits[part & 15];
  }
  return text;
}

const Theme& theme(Ground ground) {
  return ground == Ground::light ? light_theme : dark_theme;
}

Color categorical_color(std::size_t index, Ground ground) {
  const auto& colors = ground == Ground::light ? light_categories : dark_categories;
  return colors[index % colors.size()];
}

Color sequence_step_color(std::size_t step, Ground ground) {
  const double share = static_cast<double>(step) / static_cast<double>(sequence_steps - 1);
  // The yellow end vanishes on white, the purple end on black.
  return ground == Ground::light ? sequential_color(0.84 * share) : sequential_color(0.25 + 0.75 * share);
}

std::size_t sequence_step(std::size_t index, std::size_t count) {
  if (count < 2) return sequence_steps / 2;
  return (index * (sequence_steps - 1) + (count - 1) / 2) / (count - 1);
}

Color sequential_color(double position) {
  return interpolate(viridis, position);
}
Color diverging_color(double position) {
  return interpolate(blue_red, position);
}

double color_position(const ColorScale& scale, double value) {
  const auto place = [&](double v) { return scale.logarithmic ? std::log(std::max(v, 1e-300)) : v; };
  const double low = place(scale.minimum), high = place(scale.maximum), here = place(value);
  if (!(high > low)) return 0.5;
  if (!scale.centre) return std::clamp((here - low) / (high - low), 0.0, 1.0);
  const double centre = place(*scale.centre);
  const double side = here < centre ? centre - low : high - centre;
  return side > 0 ? std::clamp(0.5 + 0.5 * (here - centre) / side, 0.0, 1.0) : 0.5;
}

Color heatmap_color(const ColorScale& scale, double value) {
  const double position = color_position(scale, value);
  return scale.centre ? diverging_color(position) : sequential_color(position);
}

}  // namespace moescope
