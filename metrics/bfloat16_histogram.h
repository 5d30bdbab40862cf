#pragma once
/// The exact histogram of the magnitudes of bfloat16 weights: one bin for each of the 32,768 patterns below
/// the sign bit, which order like the magnitudes. It answers any question about |w| later, without the
/// weights.
///
/// Counts are integers: any cutting of a tensor, in any order, gives the same histogram. They have 8 bytes,
/// so no tensor overflows them, and adding needs no second level of small counters that are emptied in time;
/// what weights touch of the 256 KiB, some ten octaves, is in the first-level cache with 4 bytes and with 8.
/// All functions are pure and thread-safe on different histograms.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace moescope {

inline constexpr std::size_t bfloat16_magnitudes = 32768;

struct Bfloat16Histogram {
  /// (bfloat16_magnitudes): elements whose pattern without the sign is the index; bin 0 holds +0 and -0.
  std::vector<std::int64_t> counts = std::vector<std::int64_t>(bfloat16_magnitudes);

  /// `elements`: bit patterns as stored, in the byte order of this machine.
  void add(std::span<const std::uint16_t> elements);
  void merge(const Bfloat16Histogram& other);
};

/// The value of a bin; infinite at 0x7f80, NaN above.
double bfloat16_magnitude(std::size_t bin);

struct MagnitudeStats {
  std::int64_t element_count = 0;   // all elements
  std::int64_t zero_count = 0;      // of either sign
  std::int64_t denormal_count = 0;  // below 2^-126 and not zero: what processors that flush them would lose
  std::int64_t infinite_count = 0;
  std::int64_t nan_count = 0;
  double max_abs = 0;  // over the finite elements; NaN when there is none
};
MagnitudeStats magnitude_stats(const Bfloat16Histogram& histogram);

/// Quantiles of |w| over the finite elements, shape (probabilities.size()): the same bytes as `quantiles` of
/// metrics/statistics.h gives for the magnitudes one by one. NaN when there is none.
std::vector<double> magnitude_quantiles(const Bfloat16Histogram& histogram,
                                        std::span<const double> probabilities);

}  // namespace moescope
