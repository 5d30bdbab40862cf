#include "metrics/weights/weight_stats.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>

#include "metrics/statistics.h"

namespace moescope {
namespace {

constexpr std::size_t lanes = 8;  // independent sums, so that the compiler may use vectors without reordering
/// Bits of |value|: they order like the values, with infinity and NaN above every finite one.
std::int32_t magnitude_bits(float value) {
  return std::bit_cast<std::int32_t>(value) & 0x7fffffff;
}
constexpr std::int32_t infinity_bits = 0x7f800000;

/// An integer that orders like the value, -0 just below +0; and back.
std::int32_t order_of(float value) {
  const auto bits = std::bit_cast<std::int32_t>(value);
  return bits ^ ((bits >> 31) & 0x7fffffff);
}
float value_of(std::int32_t order) {
  return std::bit_cast<float>(order ^ ((order >> 31) & 0x7fffffff));
}

/// `Width` doubles that the processor handles at once.
template <std::size_t Width>
struct VectorOf {
  using type __attribute__((vector_size(Width * sizeof(double)))) = double;
};

/// The sums of what add_terms(value, sums) adds to `Sums` sums: in each lane for its elements in order, then
/// over the lanes. Products and sums are rounded one by one, so every Width gives the same bytes.
template <std::size_t Width, std::size_t Sums, class AddTerms>
[[gnu::always_inline]] inline std::array<double, Sums> sum_terms(std::span<const float> block,
                                                                 AddTerms add_terms) {
  typename VectorOf<Width>::type value, sums[lanes / Width][Sums] = {};
  const std::size_t whole = block.size() - block.size() % lanes;
  for (std::size_t i = 0; i < whole; i += lanes) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < lanes / Width; ++v) {
#pragma GCC unroll 8
      for (std::size_t k = 0; k < Width; ++k) value[k] = static_cast<double>(block[i + v * Width + k]);
      add_terms(value, sums[v]);
    }
  }
  std::array<double, Sums> result;
  double lane_sums[lanes][Sums];
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    for (std::size_t s = 0; s < Sums; ++s) lane_sums[lane][s] = sums[lane / Width][s][lane % Width];
    if (whole + lane < block.size()) add_terms(static_cast<double>(block[whole + lane]), lane_sums[lane]);
  }
  for (std::size_t s = 0; s < Sums; ++s) {
    const auto pair = [&](std::size_t l) { return lane_sums[l][s] + lane_sums[l + lanes / 2][s]; };
    result[s] = (pair(0) + pair(1)) + (pair(2) + pair(3));
  }
  return result;
}

struct Extremes {  // four bytes each, so that as many fit a vector as values do
  std::int32_t smallest = std::numeric_limits<std::int32_t>::max();  // order_of
  std::int32_t largest = std::numeric_limits<std::int32_t>::min();
  std::int32_t zeros = 0;
  std::int32_t below_normal = 0;  // zeros among them
};

[[gnu::always_inline]] inline Extremes extremes(std::span<const float> block, float least_normal) {
  const std::int32_t least_normal_bits = magnitude_bits(least_normal);
  Extremes found;
  for (const float value : block) {
    found.smallest = std::min(found.smallest, order_of(value));
    found.largest = std::max(found.largest, order_of(value));
    found.zeros += magnitude_bits(value) == 0;
    found.below_normal += magnitude_bits(value) < least_normal_bits;
  }
  return found;
}

/// Of a block of finite elements; of any other, only min and max, of which one is not finite either.
template <std::size_t Width>
[[gnu::always_inline]] inline WeightMoments finite_moments(std::span<const float> block, float least_normal) {
  const Extremes found = extremes(block, least_normal);
  WeightMoments moments;
  if (block.empty()) return moments;
  moments.min = value_of(found.smallest), moments.max = value_of(found.largest);
  if (!std::isfinite(moments.min) || !std::isfinite(moments.max)) return moments;
  moments.element_count = moments.finite_count = static_cast<std::int64_t>(block.size());
  moments.zero_count = found.zeros;
  moments.denormal_count = found.below_normal - found.zeros;
  const auto powers = [](const auto& value, auto* sums) __attribute__((always_inline)) {
    sums[0] += value;
    sums[1] += value * value;
  };
  const auto [sum, sum_of_squares] = sum_terms<Width, 2>(block, powers);
  moments.sum = sum, moments.sum_of_squares = sum_of_squares;
  const double mean = moments.sum / static_cast<double>(block.size());
  const auto deviations = [mean](const auto& value, auto* sums) __attribute__((always_inline)) {
    const auto deviation = value - mean, square = deviation * deviation;
    sums[0] += square;
    sums[1] += square * deviation;
    sums[2] += square * square;
  };
  const auto [squares, cubes, fourths] = sum_terms<Width, 3>(block, deviations);
  moments.squared_deviations = squares, moments.cubed_deviations = cubes, moments.fourth_deviations = fourths;
  return moments;
}

WeightMoments finite_moments_2(std::span<const float> block, float least_normal) {
  return finite_moments<2>(block, least_normal);
}

using BlockMoments = WeightMoments (*)(std::span<const float>, float);

#if defined(__x86_64__)
__attribute__((target("avx2"))) WeightMoments finite_moments_4(std::span<const float> block,
                                                               float least_normal) {
  return finite_moments<4>(block, least_normal);
}

BlockMoments widest_block_moments() {
  return __builtin_cpu_supports("avx2") ? finite_moments_4 : finite_moments_2;
}
#else
BlockMoments widest_block_moments() {
  return finite_moments_2;
}
#endif

}  // namespace

WeightMoments weight_moments(std::span<const float> block, float least_normal) {
  static const BlockMoments block_moments = widest_block_moments();
  WeightMoments moments = block_moments(block, least_normal);
  if (moments.element_count == static_cast<std::int64_t>(block.size())) return moments;
  std::vector<float> finite;
  std::copy_if(block.begin(), block.end(), std::back_inserter(finite),
               [](float value) { return magnitude_bits(value) < infinity_bits; });
  moments = block_moments(finite, least_normal);
  moments.element_count = static_cast<std::int64_t>(block.size());
  return moments;
}

double WeightStatsSum::mean() const {
  return sum_.value() / static_cast<double>(finite_count_);
}

/// Deviations of two sets about their common mean; `shift`: the mean of the block minus the mean of what came
/// before. Second order: Chan, Golub and LeVeque 1979; third and fourth: Pébay 2008 (SAND2008-6212), eq. 2.1.
void WeightStatsSum::add_shift(const WeightMoments& block, double shift) {
  const auto before = static_cast<double>(finite_count_), added = static_cast<double>(block.finite_count);
  const double a = before / (before + added), b = added / (before + added), square = shift * shift;
  const double squares = squared_deviations_.value(), cubes = cubed_deviations_.value();
  fourth_deviations_.add(square * square * before * b * (a * a - a * b + b * b));
  fourth_deviations_.add(6 * square * (a * a * block.squared_deviations + b * b * squares));
  fourth_deviations_.add(4 * shift * (a * block.cubed_deviations - b * cubes));
  cubed_deviations_.add(square * shift * before * b * (a - b));
  cubed_deviations_.add(3 * shift * (a * block.squared_deviations - b * squares));
  squared_deviations_.add(square * before * added / (before + added));
}

void WeightStatsSum::add(const WeightMoments& block) {
  element_count_ += block.element_count;
  if (block.finite_count == 0) return;
  if (finite_count_ > 0) add_shift(block, block.sum / static_cast<double>(block.finite_count) - mean());
  squared_deviations_.add(block.squared_deviations);
  cubed_deviations_.add(block.cubed_deviations);
  fourth_deviations_.add(block.fourth_deviations);
  sum_.add(block.sum);
  sum_of_squares_.add(block.sum_of_squares);
  finite_count_ += block.finite_count;
  zero_count_ += block.zero_count;
  denormal_count_ += block.denormal_count;
  min_ = std::min(min_, block.min);
  max_ = std::max(max_, block.max);
}

WeightMoments WeightStatsSum::moments() const {
  return {element_count_,
          finite_count_,
          zero_count_,
          denormal_count_,
          sum_.value(),
          sum_of_squares_.value(),
          squared_deviations_.value(),
          cubed_deviations_.value(),
          fourth_deviations_.value(),
          min_,
          max_};
}

WeightStats WeightStatsSum::result() const {
  const std::int64_t nonfinite = element_count_ - finite_count_;
  if (finite_count_ == 0) return {element_count_, nonfinite, 0, 0, nan, nan, nan, nan, nan, nan, nan};
  const auto count = static_cast<double>(finite_count_);
  const double variance = squared_deviations_.value() / count;
  return {element_count_,
          nonfinite,
          zero_count_,
          denormal_count_,
          std::sqrt(sum_of_squares_.value()),
          mean(),
          std::sqrt(variance),
          fourth_deviations_.value() / count / (variance * variance),
          std::max(-min_, max_) + 0.0,  // + 0.0: a zero of either sign is +0
          min_ + 0.0,
          max_ + 0.0};
}

WeightStats weight_stats(std::span<const float> elements) {
  WeightStatsSum blocks;
  for (std::size_t first = 0; first < elements.size(); first += weight_block_size)
    blocks.add(weight_moments(elements.subspan(first, std::min(weight_block_size, elements.size() - first))));
  return blocks.result();
}

}  // namespace moescope
