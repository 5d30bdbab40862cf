#include "metrics/weights/sketched_drift.h"

#include <cassert>
#include <cmath>

#include "metrics/statistics.h"
#include "metrics/weights/weight_sketch.h"

namespace moescope {

std::vector<double> sketched_squares(std::span<const std::span<const float>> sketches) {
  const std::size_t checkpoints = sketches.size();
  std::vector<double> squares(checkpoints * checkpoints);
  for (std::size_t s = 0; s < checkpoints; ++s) {
    for (std::size_t t = 0; t <= s; ++t) {
      const double square = estimated_squared_distance(sketches[s], sketches[t], 0).value;
      squares[s * checkpoints + t] = squares[t * checkpoints + s] = square;
    }
  }
  return squares;
}

SketchedDistances SketchedDistances::zero(std::size_t checkpoints) {
  const std::vector<double> zeros(checkpoints * checkpoints);
  return {zeros, zeros};
}

void SketchedDistances::add(std::span<const double> squares_of_key, std::int64_t element_count) {
  assert(squares_of_key.size() == squares.size());
  const bool exact = element_count <= static_cast<std::int64_t>(sketch_size);
  for (std::size_t i = 0; i < squares.size(); ++i) {
    squares[i] += squares_of_key[i];
    if (!exact) variances[i] += squares_of_key[i] * squares_of_key[i] * 2 / static_cast<double>(sketch_size);
  }
}

SketchedDrift sketched_drift(const SketchedDistances& distances, std::span<const double> norms) {
  SketchedDrift drift;
  for (std::size_t s = 0; s < norms.size(); ++s) {
    for (std::size_t t = 0; t < norms.size(); ++t) {
      const double square = distances.squares[s * norms.size() + t];
      const double distance = std::sqrt(square);
      const double error_of_square = std::sqrt(distances.variances[s * norms.size() + t]);
      const double error = square == 0 ? 0 : error_of_square / (2 * distance);
      const bool exists = norms[s] != 0 && std::isfinite(square);
      drift.value.push_back(exists ? distance / norms[s] : nan);
      drift.standard_error.push_back(exists ? error / norms[s] : nan);
    }
  }
  return drift;
}

}  // namespace moescope
