#pragma once
/// What the singular values of a weight say about it: how many directions it uses, and which of them a random
/// matrix would not have.
///
/// Singular values are finite, not negative, in any order. Where one is NaN, so is every result. All
/// functions are pure and thread-safe.

#include <cstddef>
#include <span>

namespace moescope {

/// Ranks do not change with the scale of the matrix; they lie in [1, number of singular values].
struct WeightSpectrum {
  double spectral_norm = 0;  // sigma_1; NaN without singular values
  // NaN for a zero matrix and without singular values.
  double stable_rank = 0;          // norm² / sigma_1² (Rudelson and Vershynin 2007)
  double effective_rank = 0;       // exp(-sum q ln q), q = sigma / sum sigma (Roy and Vetterli 2007)
  double participation_ratio = 0;  // (sum lambda)² / sum lambda², lambda = sigma²
};
WeightSpectrum weight_spectrum(std::span<const double> singular_values);

/// Where the singular values of a random matrix end: one with independent elements of mean 0 and standard
/// deviation s (Marchenko and Pastur 1967). Both in units of singular values; of eigenvalues, square them.
struct NoiseEdge {
  double edge = 0;  // s (sqrt(rows) + sqrt(columns)): the limit for large matrices
  /// The edge and the width of the largest value's distribution (Johnstone 2001, theorem 1.1) times 2.0234,
  /// the 99th percentile of the Tracy-Widom law of order 1: one random matrix in a hundred has a value above
  /// it.
  double spike_threshold = 0;
};
/// NaN where a side is 0, or the standard deviation negative or not finite.
NoiseEdge marchenko_pastur_edge(std::size_t rows, std::size_t columns, double standard_deviation);

/// How many singular values lie above the spike threshold: directions that are no noise of this strength. NaN
/// where the threshold is, or a singular value. The standard deviation of the elements includes what the
/// spikes themselves add, so weak spikes beside strong ones may be missed; a mean other than 0 is a spike,
/// too.
double spike_count(std::span<const double> singular_values, const NoiseEdge& noise);

}  // namespace moescope
