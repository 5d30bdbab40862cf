#pragma once
/// Moments of one weight tensor, streamed: norm, mean, standard deviation, kurtosis, largest magnitude,
/// zeros.
///
/// Non-finite elements are counted and left out of all moments. Sums run in double over fixed blocks of
/// `weight_block_size` elements, block after block, so the result depends on the elements alone, never on
/// how they were handed over. Denormals are not counted here: which values are denormal depends on the stored
/// type, and float32 has them elsewhere than float16; Bfloat16Histogram counts them from the bytes.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "metrics/statistics.h"

namespace moescope {

inline constexpr std::size_t weight_block_size = 1024;

struct WeightStats {
  std::int64_t element_count = 0;    // all elements
  std::int64_t nonfinite_count = 0;  // NaN and infinite ones
  std::int64_t zero_count = 0;       // of either sign
  // Over the finite elements; NaN when there is none.
  double norm = 0;  // Frobenius
  double mean = 0;
  double standard_deviation = 0;  // population
  double kurtosis = 0;            // population, m4 / m2²: 3 for a normal distribution; NaN without spread
  double max_abs = 0;
};

/// Moments of one block. Pure and thread-safe.
struct WeightMoments {
  std::int64_t element_count = 0;
  std::int64_t finite_count = 0;
  std::int64_t zero_count = 0;
  double sum = 0;
  double sum_of_squares = 0;
  double squared_deviations = 0;  // about the block's own mean, as the next two
  double cubed_deviations = 0;
  double fourth_deviations = 0;
  double max_abs = 0;
};
/// Of at most 2^31 - 1 elements.
WeightMoments weight_moments(std::span<const float> block);

/// Blocks of a tensor, merged in the order in which they are added. Blocks may be merged into larger blocks
/// first: the result is as exact, though its last bits may differ.
class WeightStatsSum {
 public:
  void add(const WeightMoments& block);
  WeightMoments moments() const;
  WeightStats result() const;

 private:
  double mean() const;
  void add_shift(const WeightMoments& block, double shift);

  std::int64_t element_count_ = 0;
  std::int64_t finite_count_ = 0;
  std::int64_t zero_count_ = 0;
  CompensatedSum sum_, sum_of_squares_, squared_deviations_, cubed_deviations_, fourth_deviations_;
  double max_abs_ = 0;
};

/// A whole tensor, handed over in pieces of any size.
class WeightStatsStream {
 public:
  void add(std::span<const float> elements);
  WeightStats result() const;

 private:
  WeightStatsSum blocks_;
  std::vector<float> pending_;  // fewer than weight_block_size elements
};

/// Of a whole tensor at once.
WeightStats weight_stats(std::span<const float> elements);

}  // namespace moescope
