#pragma once
/// Whether the experts of a layer are the same ones at successive checkpoints, in the same places.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "metrics/expert_matching.h"

namespace moescope {

/// What is known of the likeness of experts at two checkpoints. Each is (E, E), row-major [expert earlier,
/// expert later], or empty where it was not measured; one that is not finite says nothing.
struct ExpertEvidence {
  std::span<const double> router_cosine;  // of router rows
  std::span<const double> weight_cosine;  // of the experts' own weights
};

/// The mean of the evidence that there is: shape (E, E). NaN where nothing is known. Pure.
std::vector<double> expert_similarity(const ExpertEvidence& evidence, std::size_t experts);

/// Where experts are found again.
struct ExpertPlaces {
  std::vector<std::size_t> assigned;  // (E): by the best assignment, certain or not
  std::vector<std::int32_t> places;   // (E): in the later checkpoint; -1 where nothing can be told
  std::size_t moved = 0;              // experts that are certainly in another place
};

/// places[e] is e where the best assignment keeps expert e, and another where it certainly moved: where
/// find_permutation says so, or where another expert that certainly moved has taken its place. Pure.
ExpertPlaces find_places(const ExpertEvidence& evidence, std::size_t experts);

/// Experts that moved, in one layer.
struct LayerMoves {
  std::int64_t layer = 0;  // in the whole model
  std::size_t moved = 0;   // of `experts`
};

/// A sentence for the user, empty where no layer had moves: which layers, how many experts, what it means.
std::string describe_moves(std::span<const LayerMoves> layers, std::size_t experts, const std::string& from,
                           const std::string& to);

}  // namespace moescope
