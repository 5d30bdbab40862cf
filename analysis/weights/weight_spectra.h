#pragma once
/// Spectra of chosen matrices at every checkpoint, and of what changed between successive ones. A stage of
/// its own after the weight pass: it reads the matrices again, each of them whole.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "analysis/machine/parallel.h"
#include "analysis/weights/spectra_choice.h"
#include "analysis/weights/weight_pass.h"
#include "metrics/spectra/power_law.h"
#include "metrics/spectra/weight_spectrum.h"

namespace moescope {

/// One matrix at one checkpoint. NaN where an element is not finite.
struct CheckpointSpectrum {
  WeightSpectrum ranks;
  PowerLawFit power_law;
  NoiseEdge noise;
  double spike_count = 0;
};

/// From one checkpoint to the next.
struct StepSpectrum {
  WeightSpectrum ranks;  // of D = W_(i+1) - W_i
  /// Of the compared_directions() leading singular vectors of W_i and W_(i+1), on the residual_side().
  double overlap = 0;
};

/// One matrix through a series of C checkpoints.
struct MatrixSpectra {
  std::size_t index = 0;                        // in ModelWeights::all()
  std::vector<CheckpointSpectrum> checkpoints;  // (C)
  std::vector<StepSpectrum> steps;              // (C-1)
};

/// Large matrices are not held in memory as a whole, if they are tall, as embedding and head are. Only tests
/// have other limits: sums are rounded once a piece.
struct MatrixPieces {
  std::uint64_t whole_elements = std::uint64_t{1} << 26;  // of the largest matrix that is taken whole
  std::uint64_t piece_elements = std::uint64_t{1} << 22;
};

/// Bytes that one such matrix takes while its spectra are measured.
std::uint64_t spectra_memory(const Weight& weight);

/// The part of an analysis' memory budget that matrices in work may have.
std::uint64_t spectra_budget(std::uint64_t memory);

struct SpectraOptions {
  std::uint64_t memory = 0;  // bytes for all matrices in work at once; one always is
  const std::atomic<bool>* interrupted = nullptr;
  MatrixPieces pieces;
  /// Bytes that were read; called on the calling thread.
  std::function<void(std::uint64_t bytes)> advance = [](std::uint64_t) {};
};

/// Calls `sink` with the spectra of each of the matrices `chosen`, on the calling thread, in any order.
/// `deviation` (C, W) are the standard deviations of the elements, which set the edge of noise. The elements
/// of D are rounded to float once, which is exact wherever bfloat16 values of like magnitude are subtracted;
/// everything else is double. The numbers depend on the elements alone, not on threads or memory. What was
/// finished before an exception reaches `sink` first. Throws Interrupted, std::system_error.
void trace_spectra(std::span<const CheckpointWeights> series, std::span<const std::size_t> chosen,
                   std::span<const double> deviation, ThreadPool& pool, const SpectraOptions& options,
                   const std::function<void(const MatrixSpectra&)>& sink);

}  // namespace moescope
