#pragma once
/// What spectra will cost, from the shapes of the chosen matrices.

#include <cstddef>
#include <cstdint>
#include <span>

#include "analysis/machine/parallel.h"
#include "analysis/weights/spectra_choice.h"

namespace moescope {

struct SpectraCost {
  std::size_t matrices = 0;
  std::uint64_t bytes = 0;  // of the chosen matrices, all checkpoints together
  std::uint64_t decompositions = 0;
  double flops = 0;                  // two for each multiply-add
  double largest_flops = 0;          // of one matrix: no two threads share it
  std::uint64_t largest_memory = 0;  // bytes of one matrix in work
};

/// Of a series of `checkpoints` that all store their weights like the first. With short side n and long side
/// m, a Gram matrix with its eigenvalues counts as n² m / 2 + 4/3 n³ multiply-adds, the exact decomposition
/// of a small matrix as 3 n² m: what is done at a lower rate than the Gram matrix itself counts more
/// (metrics/spectra/singular_values.h). Each checkpoint and each update is decomposed once, small matrices
/// once more for their leading directions. Pure.
SpectraCost spectra_cost(std::span<const Weight> weights, SpectraChoice choice, std::uint64_t checkpoints);

/// Where the rate is not measured: what one core of 3 GHz reaches with AVX2, and what each decomposition
/// takes beside.
inline constexpr double spectra_flops_per_core = 2.5e10;
inline constexpr double seconds_per_decomposition = 1.2e-4;

/// Operations that all threads together get done in a second of decomposing; measured in tenths of a second.
double measure_spectra_rate(ThreadPool& threads);

/// Time of computing with `flops_per_second` of all threads together. Pure.
double spectra_seconds(const SpectraCost& cost, double flops_per_second, unsigned threads);

}  // namespace moescope
