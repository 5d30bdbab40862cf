#pragma once
/// Whether the experts of a layer are the same ones at successive checkpoints, in the same places.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "metrics/weights/expert_matching.h"

namespace moescope {

/// What is known of the likeness of experts at two checkpoints. Each is (E, E), row-major [expert earlier,
/// expert later], or empty where it was not measured; one that is not finite says nothing.
struct ExpertEvidence {
  std::span<const double> router_cosine;  // of router rows
  std::span<const double> weight_cosine;  // of the experts' own weights
};

/// Where experts are found again.
struct ExpertPlaces {
  std::vector<std::size_t> assigned;  // (E): by the best assignment, certain or not
  std::vector<std::int32_t> places;   // (E): in the later checkpoint; -1 where nothing can be told
  std::size_t moved = 0;              // experts that are certainly in another place
};

/// By one of the evidences, (E, E); an empty one tells nothing. places[e] is e where the best assignment
/// keeps expert e, and another where it certainly moved: where find_permutation says so, or where another
/// expert that certainly moved has taken its place. Without evidence, a finite cosine with what the
/// assignment gives, nothing is told of an expert: -1. Pure.
ExpertPlaces find_places(std::span<const double> cosines, std::size_t experts);

/// cosines[e, assigned[e]] of every expert: shape (E).
std::vector<double> matched_cosines(std::span<const double> cosines, const ExpertPlaces& places);

/// Cosines that differ by more are those of an expert and of strangers.
inline constexpr double clear_difference = 0.5;

/// Experts that moved, in one layer.
struct LayerMoves {
  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

  std::int64_t layer = 0;  // in the whole model
  std::size_t moved = 0;   // experts that certainly moved, by router rows or by weights
  // Of those, the mean cosine with what is now in the place that they moved to.
  double router_cosine = unknown, weight_cosine = unknown;
  std::size_t disagreeing = 0;  // of those, experts that the other evidence clearly finds in another place
};

/// Puts both evidences together; where they lead to different places, router rows go first. Pure.
LayerMoves layer_moves(std::int64_t layer, const ExpertEvidence& evidence, const ExpertPlaces& by_router,
                       const ExpertPlaces& by_weights);

/// A sentence for the user, empty where no layer had moves: which layers, how many experts, how like the
/// experts in the new places are, what it means.
std::string describe_moves(std::span<const LayerMoves> layers, std::size_t experts, const std::string& from,
                           const std::string& to);

}  // namespace moescope
