#pragma once
/// The exact histogram of bfloat16 weights: one bin for each of the 65,536 bit patterns. Every statistic of
/// the values follows from it, exactly and without the weights.
///
/// Counts are integers: any cutting of a tensor, in any order, gives the same histogram. They have 8 bytes,
/// so no tensor overflows them. All functions are pure and thread-safe on different histograms.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "metrics/weights/weight_stats.h"

namespace moescope {

inline constexpr std::size_t bfloat16_patterns = 65536;
inline constexpr std::size_t bfloat16_magnitudes = 32768;  // patterns without the sign

struct Bfloat16Histogram {
  /// (bfloat16_patterns): elements by bit pattern. The upper half are those with the sign bit.
  std::vector<std::int64_t> counts = std::vector<std::int64_t>(bfloat16_patterns);

  /// `elements`: bit patterns as stored, in the byte order of this machine.
  void add(std::span<const std::uint16_t> elements);
  void merge(const Bfloat16Histogram& other);
  void clear();
};

/// Finite for the patterns below 0x7f80 and from 0x8000 up to 0xff7f.
double bfloat16_value(std::size_t pattern);

/// The same statistics as `weight_stats` of the values one by one, with the same rules for what is not
/// finite; sums are accurate to a few units of the last place. An almost empty histogram takes some 20
/// microseconds, that of a large tensor about 50: no pass over small tensors should wait for more.
WeightStats weight_stats(const Bfloat16Histogram& histogram);

/// Adds to `counts`, shape (bfloat16_magnitudes), the elements by pattern without the sign. The patterns
/// order like the magnitudes; bin 0 holds zeros of both signs, 0x7f80 the infinite elements, bins above it
/// NaN.
void add_magnitude_counts(const Bfloat16Histogram& histogram, std::span<std::int64_t> counts);

/// Quantiles of |w| over the finite elements, shape (probabilities.size()): the same bytes as `quantiles` of
/// metrics/statistics.h gives for the magnitudes one by one. NaN when there is none.
std::vector<double> magnitude_quantiles(const Bfloat16Histogram& histogram,
                                        std::span<const double> probabilities);

}  // namespace moescope
