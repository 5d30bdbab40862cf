#include "metrics/weights/bfloat16_histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <vector>

#include "metrics/statistics.h"
#include "tests/support/random_values.h"
#include "tests/support/special_values.h"

namespace moescope {
namespace {

using Patterns = std::vector<std::uint16_t>;

float value_of(std::uint16_t pattern) {
  return std::bit_cast<float>(std::uint32_t{pattern} << 16);
}

Patterns bfloat16_of(const std::vector<float>& values) {
  Patterns patterns(values.size());
  std::transform(values.begin(), values.end(), patterns.begin(), [](float value) {
    return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
  });
  return patterns;
}

Patterns gaussian(std::size_t size, unsigned seed) {
  return bfloat16_of(normal_values<float>(size, seed, 0.02f));
}

Bfloat16Histogram histogram_of(const Patterns& patterns) {
  Bfloat16Histogram histogram;
  histogram.add(patterns);
  return histogram;
}

std::vector<float> values_of(const Patterns& patterns) {
  std::vector<float> values(patterns.size());
  std::transform(patterns.begin(), patterns.end(), values.begin(), value_of);
  return values;
}

/// What is counted is the same; sums agree to `tolerance`, the mean relative to the norm of one element.
void expect_like(const WeightStats& stats, const WeightStats& expected, double tolerance) {
  EXPECT_EQ(stats.element_count, expected.element_count);
  EXPECT_EQ(stats.nonfinite_count, expected.nonfinite_count);
  EXPECT_EQ(stats.zero_count, expected.zero_count);
  EXPECT_EQ(stats.denormal_count, expected.denormal_count);
  EXPECT_EQ(stats.max_abs, expected.max_abs);
  EXPECT_EQ(stats.min, expected.min);
  EXPECT_EQ(stats.max, expected.max);
  const auto count = static_cast<double>(expected.element_count - expected.nonfinite_count);
  EXPECT_NEAR(stats.norm, expected.norm, tolerance * expected.norm);
  EXPECT_NEAR(stats.mean, expected.mean, tolerance * expected.norm / std::sqrt(count));
  EXPECT_NEAR(stats.standard_deviation, expected.standard_deviation, tolerance * expected.standard_deviation);
  EXPECT_NEAR(stats.kurtosis, expected.kurtosis, tolerance * expected.kurtosis);
}

TEST(Bfloat16Histogram, EveryPatternHasABinOfItsOwn) {
  Patterns all(65536);
  std::iota(all.begin(), all.end(), std::uint16_t{0});
  EXPECT_THAT(histogram_of(all).counts, testing::Each(1));
  for (const std::uint16_t pattern :
       {bf16::one, bf16::minus_two, bf16::minus_zero, bf16::minus_largest_denormal, bf16::minus_infinity}) {
    EXPECT_EQ(histogram_of({pattern}).counts[pattern], 1);
    EXPECT_EQ(bfloat16_value(pattern), value_of(pattern));
  }
}

TEST(Bfloat16Histogram, CountsEachPlacePatternByPattern) {
  const Patterns patterns = random_patterns(1003, 1);
  std::vector<std::int64_t> expected(bfloat16_patterns);
  for (const std::uint16_t pattern : patterns) ++expected[pattern];
  EXPECT_EQ(histogram_of(patterns).counts, expected);
}

TEST(Bfloat16Histogram, MagnitudesFoldTheSigns) {
  std::vector<std::int64_t> counts(bfloat16_magnitudes);
  counts[bf16::one] = 5;
  add_magnitude_counts(
      histogram_of({bf16::one, bf16::one, 0xbf80, bf16::minus_two, 0, bf16::minus_zero, bf16::infinity,
                    bf16::minus_infinity, bf16::quiet_nan, bf16::nan_with_sign}),
      counts);
  EXPECT_EQ(counts[0], 2);
  EXPECT_EQ(counts[bf16::one], 5 + 3);
  EXPECT_EQ(counts[0x4000], 1);
  EXPECT_EQ(counts[bf16::infinity], 2);
  EXPECT_EQ(counts[bf16::quiet_nan], 2);
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}), 5 + 10);
}

TEST(Bfloat16Histogram, IsEmptyOnceCleared) {
  Bfloat16Histogram histogram = histogram_of(random_patterns(1000, 6));
  histogram.clear();
  EXPECT_EQ(histogram.counts, Bfloat16Histogram().counts);
}

TEST(Bfloat16Histogram, AnyCuttingGivesTheSameCounts) {
  const Patterns patterns = random_patterns(5000, 2);
  const Bfloat16Histogram whole = histogram_of(patterns);
  for (const std::size_t piece : {1ul, 3ul, 1024ul, 4999ul}) {
    Bfloat16Histogram pieces;
    for (std::size_t start = 0; start < patterns.size(); start += piece)
      pieces.add(std::span(patterns).subspan(start, std::min(piece, patterns.size() - start)));
    EXPECT_EQ(pieces.counts, whole.counts);
  }
}

TEST(Bfloat16Histogram, MergesLikeOneTensor) {
  const Patterns a = random_patterns(1001, 4), b = random_patterns(70, 5);
  Patterns joined = b;
  joined.insert(joined.end(), a.begin(), a.end());
  Bfloat16Histogram merged = histogram_of(a);
  merged.merge(histogram_of(b));
  EXPECT_EQ(merged.counts, histogram_of(joined).counts);
}

TEST(Bfloat16Histogram, CountsWhatIsNotAnOrdinaryNumber) {
  const WeightStats stats = weight_stats(histogram_of(
      {0, bf16::minus_zero, bf16::smallest_denormal, bf16::minus_largest_denormal,
       bf16::minus_largest_denormal, bf16::smallest_normal, bf16::one, bf16::minus_two, bf16::infinity,
       bf16::minus_infinity, bf16::minus_infinity, bf16::quiet_nan, bf16::signalling_nan}));
  EXPECT_EQ(stats.element_count, 13);
  EXPECT_EQ(stats.zero_count, 2);
  EXPECT_EQ(stats.denormal_count, 3);
  EXPECT_EQ(stats.nonfinite_count, 5);
  EXPECT_EQ(stats.max_abs, 2);
  EXPECT_EQ(stats.min, -2);
  EXPECT_EQ(stats.max, 1);
}

TEST(Bfloat16Histogram, DenormalsAreThoseOfTheStandardLibrary) {
  const Patterns patterns = random_patterns(100000, 3);
  const auto denormals = std::count_if(patterns.begin(), patterns.end(), [](std::uint16_t pattern) {
    return std::fpclassify(value_of(pattern)) == FP_SUBNORMAL;
  });
  EXPECT_GT(denormals, 0);
  EXPECT_EQ(weight_stats(histogram_of(patterns)).denormal_count, denormals);
}

TEST(Bfloat16Histogram, HasTheStatisticsOfTheValuesOneByOne) {
  Patterns gains = bfloat16_of(normal_values<float>(30000, 8, 0.02f, 1));  // far from zero, as of RMSNorm
  Patterns with_nonfinite = gaussian(5000, 9);
  with_nonfinite[7] = bf16::quiet_nan, with_nonfinite[70] = bf16::minus_infinity,
  with_nonfinite[4000] = 0x8003;
  Patterns finite = random_patterns(40000, 10);  // of every magnitude
  std::erase_if(finite, [](std::uint16_t pattern) { return !std::isfinite(value_of(pattern)); });
  for (const Patterns& patterns :
       {gaussian(100003, 7), gains, with_nonfinite, finite, Patterns{bf16::one, 0}})
    expect_like(weight_stats(histogram_of(patterns)), weight_stats(values_of(patterns)), 1e-13);
}

TEST(Bfloat16Histogram, MomentsAgreeWithExtendedPrecision) {
  const Patterns patterns = bfloat16_of(normal_values<float>(200000, 11, 0.01f, 1));
  const auto n = static_cast<long double>(patterns.size());
  long double sum = 0, squares = 0, deviations = 0, fourths = 0;
  for (const float value : values_of(patterns))
    sum += value, squares += static_cast<long double>(value) * value;
  for (const float value : values_of(patterns)) {
    const long double square = (value - sum / n) * (value - sum / n);
    deviations += square, fourths += square * square;
  }
  const WeightStats stats = weight_stats(histogram_of(patterns));
  const auto expect_last_places = [](double found, long double expected) {
    EXPECT_NEAR(found / static_cast<double>(expected), 1, 2e-15);
  };
  expect_last_places(stats.mean, sum / n);
  expect_last_places(stats.norm, std::sqrt(squares));
  expect_last_places(stats.standard_deviation, std::sqrt(deviations / n));
  expect_last_places(stats.kurtosis, fourths * n / (deviations * deviations));
}

TEST(Bfloat16Histogram, ConstantWeightsHaveNoSpread) {
  const WeightStats stats = weight_stats(histogram_of(Patterns(12345, 0x3dcd)));
  EXPECT_EQ(stats.mean, value_of(0x3dcd));
  EXPECT_EQ(stats.standard_deviation, 0);
  EXPECT_THAT(stats.kurtosis, testing::IsNan());
}

TEST(Bfloat16Histogram, ExtremesHaveTheirSigns) {
  const WeightStats negative = weight_stats(histogram_of({bf16::minus_two, 0xbf80, bf16::nan_with_sign}));
  EXPECT_EQ(negative.min, -2);
  EXPECT_EQ(negative.max, -1);
  EXPECT_EQ(negative.max_abs, 2);
  const WeightStats zeros = weight_stats(histogram_of({bf16::minus_zero, bf16::minus_zero}));
  for (const double extreme : {zeros.min, zeros.max, zeros.max_abs}) {
    EXPECT_EQ(extreme, 0);
    EXPECT_FALSE(std::signbit(extreme));
  }
}

TEST(Bfloat16Histogram, QuantilesAreThoseOfTheMagnitudesOneByOne) {
  const std::array<double, 9> probabilities = {0, 0.001, 0.05, 0.25, 0.5, 0.75, 0.95, 0.9999, 1};
  for (const std::size_t size : {1ul, 2ul, 5ul, 1000ul, 20001ul}) {
    const Patterns patterns = gaussian(size, static_cast<unsigned>(size));
    std::vector<double> magnitudes;
    for (const std::uint16_t pattern : patterns) magnitudes.push_back(std::abs(value_of(pattern)));
    EXPECT_EQ(magnitude_quantiles(histogram_of(patterns), probabilities),
              quantiles(magnitudes, probabilities));
  }
}

TEST(Bfloat16Histogram, QuantilesLeaveOutWhatIsNotFinite) {
  const std::array<double, 3> probabilities = {0, 0.5, 1};
  EXPECT_THAT(magnitude_quantiles(histogram_of({bf16::infinity, bf16::one, bf16::quiet_nan, bf16::minus_two}),
                                  probabilities),
              testing::ElementsAre(1, 1.5, 2));
  EXPECT_THAT(magnitude_quantiles(histogram_of({bf16::infinity, bf16::quiet_nan}), probabilities),
              testing::Each(testing::IsNan()));
}

TEST(Bfloat16Histogram, HasNoStatisticsOfNothing) {
  for (const Patterns& patterns : {Patterns{}, Patterns{bf16::quiet_nan, bf16::infinity}}) {
    const WeightStats stats = weight_stats(histogram_of(patterns));
    EXPECT_EQ(stats.element_count, static_cast<std::int64_t>(patterns.size()));
    EXPECT_EQ(stats.nonfinite_count, stats.element_count);
    EXPECT_EQ(stats.zero_count, 0);
    for (const double value : {stats.norm, stats.mean, stats.standard_deviation, stats.kurtosis,
                               stats.max_abs, stats.min, stats.max})
      EXPECT_THAT(value, testing::IsNan());
  }
  EXPECT_THAT(magnitude_quantiles({}, std::array{0.5}), testing::ElementsAre(testing::IsNan()));
}

TEST(Bfloat16Histogram, CountsReachBeyondFourBytes) {
  Bfloat16Histogram histogram = histogram_of(Patterns(1024, bf16::one));
  histogram.add(Patterns(1024, bf16::minus_two));
  for (int doubling = 0; doubling < 29; ++doubling) histogram.merge(Bfloat16Histogram(histogram));
  const std::int64_t all = std::int64_t{1} << 40;  // the largest tensors
  EXPECT_EQ(weight_stats(histogram).element_count, all);
  EXPECT_EQ(weight_stats(histogram).mean, -0.5);
  EXPECT_DOUBLE_EQ(weight_stats(histogram).norm, std::sqrt(2.5 * static_cast<double>(all)));
  EXPECT_EQ(histogram.counts[bf16::one], all / 2);
  EXPECT_THAT(magnitude_quantiles(histogram, std::array{0.4999, 0.5, 0.5001}),
              testing::ElementsAre(1, 1.5, 2));
}

}  // namespace
}  // namespace moescope
