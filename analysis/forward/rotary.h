#pragma once
/// Rotary position embedding (Su et al., arXiv 2104.09864), as the model's RotaryScheme says.

#include <cstddef>
#include <span>

#include "analysis/kernels/activations.h"
#include "readers/model/attention_scheme.h"

namespace moescope {

/// Turns of feature pair i from one position to the next, in radians: base^(-2i / features), stretched.
/// - linear: over the factor (Chen et al., arXiv 2306.15595);
/// - llama3: frequencies of fewer than `low` turns over the original positions are divided by the factor,
///   those of more than `high` kept, and between them the two are mixed (Llama 3.1's reference
///   implementation);
/// - yarn: the same with a ramp over the features between those that turn `high` and `low` times (Peng et
/// al.,
///   arXiv 2309.00071, section 3.2).
double rotary_frequency(const RotaryScheme& scheme, std::size_t pair);

/// Cosines and sines of the angles, times the scheme's amplitude.
struct RotaryTable {
  Matrix cosine, sine;  // (positions, features / 2)
  std::size_t first = 0;
  bool interleaved = false;
};
RotaryTable make_rotary_table(std::size_t positions, const RotaryScheme& scheme);

/// Rotates features of x (head_dim), of one head at `position`, in place.
void rotate(std::span<float> x, const RotaryTable& table, std::size_t position);

}  // namespace moescope
