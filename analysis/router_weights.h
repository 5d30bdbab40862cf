#pragma once
/// What the routers themselves say: norms and cosines of their rows, the score correction bias, and where the
/// experts of one checkpoint are found in the next, by their router rows and by their own weights.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "analysis/expert_identity.h"
#include "analysis/expert_sketches.h"
#include "analysis/parallel.h"
#include "analysis/weight_pass.h"
#include "readers/run_file.h"

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

/// The same from a run file, after match_recorded_experts(); where router rows and weights do not agree,
/// without the cosines of what was not matched. Empty where nothing was matched.
std::vector<std::string> recorded_permutation_warnings(const RunFile& run);

/// The empty datasets of a model with MoE layers. Their dimensions, and /weights/sketch if there are to be
/// any, must be defined.
void define_routers(RunFile& run, std::size_t checkpoints);
void write_routers(RunFile& run, const RouterRecord& record);

/// Finds experts again by the sketches that the file holds, as read_routers does, also across checkpoints
/// that are gone. Nothing without sketches; a step whose sketches are not all there stays as it is.
void match_recorded_experts(RunFile& run, const ModelWeights& weights);

}  // namespace moescope
