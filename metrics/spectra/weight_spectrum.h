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
  /// sqrt(centre + 2.0234 width): centre = s² (a + b)² and width = s² (a + b) (1/a + 1/b)^(1/3) of the
  /// largest eigenvalue (Johnstone 2001, theorem 1.1), a = sqrt(rows - 1/2) and b = sqrt(columns - 1/2),
  /// which makes small matrices right, too (Ma 2012); 2.0234 is the 99th percentile of the Tracy-Widom law of
  /// order 1. One random matrix in a hundred has a value above it, from 4 rows on. Where s is not that of the
  /// law but that of the matrix's own elements, which a large value raises, fewer of the small ones have: in
  /// simulations 0.2 % of 8 x 32 elements, 0.5 % of 16 x 64, 0.7 % of 64 x 64.
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
