#pragma once
/// Moments of one weight tensor, streamed: norm, mean, standard deviation, kurtosis, extremes, zeros and
/// denormals.
///
/// Non-finite elements are counted and left out of all moments. Sums run in double over fixed blocks of
/// `weight_block_size` elements, block after block, so the result depends on the elements alone, never on
/// how they were handed over. Which values are denormal depends on the stored type: those below its smallest
/// normal magnitude and not zero, what processors that flush denormals would lose. Weights stored as bfloat16
/// are better served by Bfloat16Histogram, which has the same statistics from counts.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "metrics/statistics.h"

namespace moescope {

inline constexpr std::size_t weight_block_size = 1024;

/// The smallest normal magnitude of stored types.
inline constexpr float least_normal_float32 = 0x1p-126f;  // and of bfloat16
inline constexpr float least_normal_float16 = 0x1p-14f;

struct WeightStats {
  std::int64_t element_count = 0;    // all elements
  std::int64_t nonfinite_count = 0;  // NaN and infinite ones
  std::int64_t zero_count = 0;       // of either sign
  std::int64_t denormal_count = 0;
  // Over the finite elements; NaN when there is none.
  double norm = 0;  // Frobenius
  double mean = 0;
  double standard_deviation = 0;  // population
  double kurtosis = 0;            // population, m4 / m2²: 3 for a normal distribution; NaN without spread
  double max_abs = 0;
  double min = 0;  // signed, as max
  double max = 0;
};

/// Moments of one block. Pure and thread-safe.
struct WeightMoments {
  std::int64_t element_count = 0;
  std::int64_t finite_count = 0;
  std::int64_t zero_count = 0;
  std::int64_t denormal_count = 0;
  double sum = 0;
  double sum_of_squares = 0;
  double squared_deviations = 0;  // about the block's own mean, as the next two
  double cubed_deviations = 0;
  double fourth_deviations = 0;
  double min = std::numeric_limits<double>::infinity();  // over the finite elements, as max
  double max = -std::numeric_limits<double>::infinity();
};
/// Of at most 2^31 - 1 elements; `least_normal`: the smallest normal magnitude of the type they are stored
/// in.
WeightMoments weight_moments(std::span<const float> block, float least_normal = least_normal_float32);

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
  std::int64_t denormal_count_ = 0;
  CompensatedSum sum_, sum_of_squares_, squared_deviations_, cubed_deviations_, fourth_deviations_;
  double min_ = std::numeric_limits<double>::infinity();
  double max_ = -std::numeric_limits<double>::infinity();
};

/// Of a whole tensor stored as float32 at once.
WeightStats weight_stats(std::span<const float> elements);

}  // namespace moescope
