#pragma once
/// How far many tensors moved together, estimated from their sketches (metrics/weights/weight_sketch.h): also
/// between versions that are no longer there.
///
/// Tensors that share a key share the luck of their signs. How much depends on the angles between their
/// moves, which are not known, so that the worst is taken: they err together, as one tensor would. Tensors
/// with different keys err independently. All functions are pure and thread-safe.

#include <cstdint>
#include <span>
#include <vector>

namespace moescope {

/// norm(W_s - W_t)² of one tensor, estimated for every pair of C checkpoints: shape (C, C), symmetric, 0 on
/// the diagonal; not finite with a sketch that is not. `sketches` (C): (sketch_size) each.
std::vector<double> sketched_squares(std::span<const std::span<const float>> sketches);

/// Of several tensors as one long vector. Shapes (C, C).
struct SketchedDistances {
  std::vector<double> squares;    // norm(W_s - W_t)²
  std::vector<double> variances;  // of those: at most so much

  /// Of no tensors.
  static SketchedDistances zero(std::size_t checkpoints);
  /// Adds all tensors of one key, which have `element_count` elements each and these squares together.
  void add(std::span<const double> squares_of_key, std::int64_t element_count);
};

/// norm(W_t - W_s) / norm(W_s) and its standard error, shapes (C, C) [s, t]; NaN where norm(W_s) is 0 and
/// where an element of either is not finite.
struct SketchedDrift {
  std::vector<double> value, standard_error;
};
/// `norms` (C): of the same tensors, exact.
SketchedDrift sketched_drift(const SketchedDistances& distances, std::span<const double> norms);

}  // namespace moescope
