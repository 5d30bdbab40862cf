#include "metrics/bfloat16_histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "metrics/statistics.h"
#include "tests/support/random_values.h"

namespace moescope {
namespace {

using Patterns = std::vector<std::uint16_t>;

constexpr std::uint16_t one = 0x3f80, minus_two = 0xc000, minus_zero = 0x8000, smallest_denormal = 0x0001,
                        largest_denormal = 0x807f, smallest_normal = 0x0080, infinity = 0x7f80,
                        minus_infinity = 0xff80, quiet_nan = 0x7fc0, signalling_nan = 0xff81;

float value_of(std::uint16_t pattern) {
  return std::bit_cast<float>(std::uint32_t{pattern} << 16);
}

Patterns gaussian(std::size_t size, unsigned seed) {
  const std::vector<float> values = normal_values<float>(size, seed, 0.02f);
  Patterns patterns(size);
  std::transform(values.begin(), values.end(), patterns.begin(), [](float value) {
    return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
  });
  return patterns;
}

Bfloat16Histogram histogram_of(const Patterns& patterns) {
  Bfloat16Histogram histogram;
  histogram.add(patterns);
  return histogram;
}

TEST(Bfloat16Histogram, EveryPatternFallsIntoTheBinOfItsMagnitude) {
  Patterns all(65536);
  std::iota(all.begin(), all.end(), std::uint16_t{0});
  EXPECT_THAT(histogram_of(all).counts, testing::Each(2));  // once with each sign
  for (const std::uint16_t pattern : {one, minus_two, minus_zero, largest_denormal, minus_infinity}) {
    const Bfloat16Histogram histogram = histogram_of({pattern});
    const auto bin = std::find(histogram.counts.begin(), histogram.counts.end(), 1);
    EXPECT_EQ(bfloat16_magnitude(static_cast<std::size_t>(bin - histogram.counts.begin())),
              std::abs(value_of(pattern)));
  }
}

TEST(Bfloat16Histogram, CountsEachPlacePatternByPattern) {
  const Patterns patterns = random_patterns(1003, 1);
  std::vector<std::int64_t> expected(bfloat16_magnitudes);
  for (const std::uint16_t pattern : patterns) ++expected[pattern % bfloat16_magnitudes];
  EXPECT_EQ(histogram_of(patterns).counts, expected);
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
  const MagnitudeStats stats = magnitude_stats(
      histogram_of({0, minus_zero, smallest_denormal, largest_denormal, largest_denormal, smallest_normal,
                    one, minus_two, infinity, minus_infinity, minus_infinity, quiet_nan, signalling_nan}));
  EXPECT_EQ(stats.element_count, 13);
  EXPECT_EQ(stats.zero_count, 2);
  EXPECT_EQ(stats.denormal_count, 3);
  EXPECT_EQ(stats.infinite_count, 3);
  EXPECT_EQ(stats.nan_count, 2);
  EXPECT_EQ(stats.max_abs, 2);
}

TEST(Bfloat16Histogram, DenormalsAreThoseOfTheStandardLibrary) {
  const Patterns patterns = random_patterns(100000, 3);
  const auto denormals = std::count_if(patterns.begin(), patterns.end(), [](std::uint16_t pattern) {
    return std::fpclassify(value_of(pattern)) == FP_SUBNORMAL;
  });
  EXPECT_GT(denormals, 0);
  EXPECT_EQ(magnitude_stats(histogram_of(patterns)).denormal_count, denormals);
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
  EXPECT_THAT(magnitude_quantiles(histogram_of({infinity, one, quiet_nan, minus_two}), probabilities),
              testing::ElementsAre(1, 1.5, 2));
  EXPECT_THAT(magnitude_quantiles(histogram_of({infinity, quiet_nan}), probabilities),
              testing::Each(testing::IsNan()));
}

TEST(Bfloat16Histogram, OfNothingHasNoMagnitude) {
  const MagnitudeStats stats = magnitude_stats({});
  EXPECT_EQ(stats.element_count, 0);
  EXPECT_EQ(stats.zero_count, 0);
  EXPECT_THAT(stats.max_abs, testing::IsNan());
  EXPECT_THAT(magnitude_quantiles({}, std::array{0.5}), testing::ElementsAre(testing::IsNan()));
}

TEST(Bfloat16Histogram, CountsReachBeyondFourBytes) {
  Bfloat16Histogram histogram = histogram_of(Patterns(1024, one));
  histogram.add(Patterns(1024, minus_two));
  for (int doubling = 0; doubling < 29; ++doubling) histogram.merge(Bfloat16Histogram(histogram));
  const std::int64_t all = std::int64_t{1} << 40;  // the largest tensors
  EXPECT_EQ(magnitude_stats(histogram).element_count, all);
  EXPECT_EQ(histogram.counts[one], all / 2);
  EXPECT_THAT(magnitude_quantiles(histogram, std::array{0.4999, 0.5, 0.5001}),
              testing::ElementsAre(1, 1.5, 2));
}

}  // namespace
}  // namespace moescope
