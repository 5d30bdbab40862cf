#pragma once
/// Moments of one weight tensor, streamed: norm, mean, standard deviation, largest magnitude.
///
/// Non-finite elements are counted and left out of all moments. Sums run in double over fixed blocks of
/// `weight_block_size` elements, block after block, so the result depends on the elements alone, never on
/// how they were handed over.

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
  // Over the finite elements; NaN when there is none.
  double norm = 0;  // Frobenius
  double mean = 0;
  double standard_deviation = 0;  // population
  double max_abs = 0;
};

/// Moments of one block. Pure and thread-safe.
struct WeightMoments {
  std::int64_t element_count = 0;
  std::int64_t finite_count = 0;
  double sum = 0;
  double sum_of_squares = 0;
  double squared_deviations = 0;  // about the block's own mean
  double max_abs = 0;
};
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

  std::int64_t element_count_ = 0;
  std::int64_t finite_count_ = 0;
  CompensatedSum sum_, sum_of_squares_, squared_deviations_;
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
