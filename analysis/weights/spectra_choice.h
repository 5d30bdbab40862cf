#pragma once
/// Whose spectra an analysis measures. A spectrum costs far more than reading a matrix, so that large models
/// are sampled by default.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/spectra/subspace_overlap.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/model/weight.h"

namespace moescope {

enum class SpectraChoice : std::uint8_t { all, sample, none };

std::string_view spectra_choice_name(SpectraChoice choice);  // "sample"
/// Empty for another name.
std::optional<SpectraChoice> parse_spectra_choice(std::string_view name);

/// A sample has every matrix whose short side is at most this, so every router.
inline constexpr std::uint64_t small_matrix_side = 256;
/// And of the routed experts with larger matrices so many, with all their projections.
inline constexpr std::size_t sampled_experts = 8;

/// Indices into `weights` (ModelWeights::all()), ascending. Vectors have no spectrum; embedding and head are
/// chosen by `all` alone. The layers with large experts are cut into `sampled_experts` runs of equal length,
/// and each run gives one layer and one of its experts; of fewer layers each gives several, all different.
/// The choice is random with a fixed seed, depends on the shapes of the model alone, and is the same
/// everywhere. Pure.
std::vector<std::size_t> choose_spectra(std::span<const Weight> weights, SpectraChoice choice);

/// What was chosen, for people: "sample: 85 of 24,231 tensors: …".
std::string describe_spectra(std::span<const Weight> weights, SpectraChoice choice);

/// The side of a matrix that lies in the residual stream: what it reads (right) or adds to it (left). The
/// head reads it; the embedding's rows are added to it.
SingularSide residual_side(Role role);

/// How many leading directions of two checkpoints are compared: 8, fewer where there are no 8.
std::size_t compared_directions(const Weight& weight);
inline constexpr std::size_t most_compared_directions = 8;

}  // namespace moescope
