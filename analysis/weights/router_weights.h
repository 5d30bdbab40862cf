#pragma once
/// What the routers themselves say: norms and cosines of their rows, the score correction bias, and where the
/// experts of one checkpoint are found in the next, by their router rows and by their own weights.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "analysis/machine/parallel.h"
#include "analysis/weights/expert_identity.h"
#include "analysis/weights/expert_sketches.h"
#include "analysis/weights/weight_pass.h"

namespace moescope {

/// Of C checkpoints, L MoE layers, E routed experts; NaN where data/run_format.md says so.
struct RouterRecord {
  std::vector<std::int64_t> layers;  // (L): in the whole model
  std::size_t checkpoints = 0, experts = 0;
  std::vector<double> row_norm;      // (C, L, E)
  std::vector<float> row_cosine;     // (C, L, E, E)
  std::vector<float> bias;           // (C, L, E)
  std::vector<std::int32_t> match;   // (C-1, L, E): ExpertPlaces::places
  std::vector<double> match_cosine;  // (C-1, L, E)
  // The same by the experts' weights; empty without sketches.
  std::vector<std::int32_t> weight_match;   // (C-1, L, E)
  std::vector<double> weight_match_cosine;  // (C-1, L, E)
  std::vector<LayerMoves> moves;            // (C-1, L)
};

/// Reads every router of the series, a few MiB each, and the sketches of all experts, those of one layer at
/// two checkpoints at once in every thread. Empty for a model without routed experts. Throws
/// std::system_error.
RouterRecord read_routers(std::span<const CheckpointWeights> series, const SketchReader& sketches,
                          ThreadPool& pool);

/// Of each step between checkpoints a sentence if experts changed places there, else nothing: (C-1). names
/// (C).
std::vector<std::string> permutation_warnings(const RouterRecord& record, std::span<const std::string> names);

}  // namespace moescope
