#include "analysis/forward/rotary.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace moescope {
namespace {

/// The share of a frequency that is kept as it is, by its turns over the original positions.
double kept_by_turns(const RotaryScaling& scaling, double frequency) {
  const double turns = scaling.original_positions * frequency / (2 * std::numbers::pi);
  return std::clamp((turns - scaling.low) / (scaling.high - scaling.low), 0.0, 1.0);
}

/// The pair of features, as a real number, that turns so often over the original positions.
double pair_of_turns(const RotaryScheme& scheme, double turns) {
  const double positions_per_radian = scheme.scaling.original_positions / (turns * 2 * std::numbers::pi);
  return static_cast<double>(scheme.features) * std::log(positions_per_radian) / (2 * std::log(scheme.base));
}

/// The same by a ramp over the pairs.
double kept_by_pair(const RotaryScheme& scheme, std::size_t pair) {
  double begin = pair_of_turns(scheme, scheme.scaling.high), end = pair_of_turns(scheme, scheme.scaling.low);
  if (scheme.scaling.whole_ends) {
    begin = std::floor(begin);
    end = std::ceil(end);
  }
  begin = std::max(begin, 0.0);
  end = std::min(end, static_cast<double>(scheme.features - 1));
  if (begin == end) end += 0.001;  // as in the reference
  return 1 - std::clamp((static_cast<double>(pair) - begin) / (end - begin), 0.0, 1.0);
}

}  // namespace

double rotary_frequency(const RotaryScheme& scheme, std::size_t pair) {
  const double frequency =
      1.0 / std::pow(scheme.base, 2.0 * static_cast<double>(pair) / static_cast<double>(scheme.features));
  const RotaryScaling& scaling = scheme.scaling;
  double kept = 1;
  switch (scaling.stretch) {
    case RotaryStretch::none:
      return frequency;
    case RotaryStretch::linear:
      kept = 0;
      break;
    case RotaryStretch::llama3:
      kept = kept_by_turns(scaling, frequency);
      break;
    case RotaryStretch::yarn:
      kept = kept_by_pair(scheme, pair);
  }
  return kept * frequency + (1 - kept) * frequency / scaling.factor;
}

RotaryTable make_rotary_table(std::size_t positions, const RotaryScheme& scheme) {
  const auto half = static_cast<std::size_t>(scheme.features / 2);
  RotaryTable table{Matrix(positions, half), Matrix(positions, half), static_cast<std::size_t>(scheme.first),
                    scheme.interleaved};
  for (std::size_t i = 0; i < half; ++i) {
    // The frequency and the angle are float32, as in the reference; their rounding is part of the model.
    const auto frequency = static_cast<float>(rotary_frequency(scheme, i));
    for (std::size_t position = 0; position < positions; ++position) {
      const double angle = static_cast<float>(position) * frequency;
      table.cosine.row(position)[i] = static_cast<float>(scheme.amplitude * std::cos(angle));
      table.sine.row(position)[i] = static_cast<float>(scheme.amplitude * std::sin(angle));
    }
  }
  return table;
}

void rotate(std::span<float> x, const RotaryTable& table, std::size_t position) {
  const std::size_t half = table.cosine.columns;
  const auto cosine = table.cosine.row(position), sine = table.sine.row(position);
  const std::size_t step = table.interleaved ? 2 : 1, distance = table.interleaved ? 1 : half;
  float* at = x.data() + table.first;
  for (std::size_t i = 0; i < half; ++i, at += step) {
    const float a = at[0], b = at[distance];
    at[0] = a * cosine[i] - b * sine[i];
    at[distance] = b * cosine[i] + a * sine[i];
  }
}

}  // namespace moescope
