#include "metrics/weights/weight_sketch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "metrics/statistics.h"
#include "tests/support/random_values.h"

namespace moescope {
namespace {

using Values = std::vector<float>;

constexpr double m = sketch_size;

/// The generator as published (Vigna, splitmix64.c): one word after another.
struct SplitMix64 {
  std::uint64_t state = 0;
  std::uint64_t next() {
    std::uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
};

/// The definition, element by element.
std::vector<double> sketch_by_definition(std::uint64_t key, const Values& values) {
  std::vector<double> sketch(sketch_size);
  SplitMix64 generator{key};
  for (std::size_t first = 0; first < values.size(); first += sketch_size) {
    std::vector<std::uint64_t> signs(16);
    for (std::uint64_t& word : signs) word = generator.next();
    const std::uint64_t rotation = generator.next() >> 54;
    for (std::size_t i = 0; i < std::min(sketch_size, values.size() - first); ++i) {
      const bool minus = signs[i / 64] >> i % 64 & 1;
      sketch[(i + rotation) % sketch_size] +=
          static_cast<double>(minus ? -values[first + i] : values[first + i]);
    }
  }
  return sketch;
}

WeightSketch sketch_of(std::uint64_t key, const Values& values) {
  WeightSketch sketch;
  sketch.add(key, 0, std::span(values));
  return sketch;
}

Values sketched(std::uint64_t key, const Values& values) {
  return sketch_of(key, values).values();
}

/// Small integers: all sums of them are exact.
Values integers(std::size_t count, unsigned seed) {
  Values values = normal_values<float>(count, seed, 20);
  for (float& value : values) value = std::round(value);
  return values;
}

double inner_product(const Values& a, const Values& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0, std::plus<>(),
                            [](double x, double y) { return x * y; });
}
double norm(const Values& values) {
  return std::sqrt(inner_product(values, values));
}
Values difference(const Values& a, const Values& b) {
  Values result(a.size());
  std::transform(a.begin(), a.end(), b.begin(), result.begin(), std::minus<>());
  return result;
}
/// a + scale b
Values combination(const Values& a, float scale, const Values& b) {
  Values result(a.size());
  std::transform(a.begin(), a.end(), b.begin(), result.begin(),
                 [=](float x, float y) { return x + scale * y; });
  return result;
}

std::int64_t size_of(const Values& values) {
  return static_cast<std::int64_t>(values.size());
}

TEST(WeightSketch, GeneratorIsTheReference) {
  SplitMix64 generator;  // first words for the seed 0, as in the tests of many implementations
  EXPECT_EQ(generator.next(), 0xe220a8397b1dcdaf);
  EXPECT_EQ(generator.next(), 0x6e789e6aa1b965f4);
  EXPECT_EQ(generator.next(), 0x06c45d188009454f);
}

TEST(WeightSketch, IsWhatItsDefinitionSays) {
  for (const std::size_t size : {1ul, 31ul, 1000ul, 1024ul, 1025ul, 5000ul, 70000ul, 200001ul}) {
    const Values values = integers(size, static_cast<unsigned>(size));
    EXPECT_EQ(sketch_of(size, values).sums, sketch_by_definition(size, values));
  }
}

TEST(WeightSketch, KeysDependOnNameAndSeed) {
  // FNV-1a of "a" is 0xaf63dc4c8601ec8c in its authors' test vectors.
  EXPECT_EQ(sketch_key("a", 0), SplitMix64{0xaf63dc4c8601ec8c}.next());
  EXPECT_NE(sketch_key("a", 0), sketch_key("b", 0));
  EXPECT_NE(sketch_key("a", 0), sketch_key("a", 1));
}

TEST(WeightSketch, Bfloat16PatternsGiveTheBytesOfTheirValues) {
  std::vector<std::uint16_t> patterns(100000);
  Values values = normal_values<float>(patterns.size(), 3, 0.02f);
  for (std::size_t i = 0; i < values.size(); ++i) {
    patterns[i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(values[i]) >> 16);
    values[i] = std::bit_cast<float>(std::uint32_t{patterns[i]} << 16);
  }
  WeightSketch of_patterns;
  of_patterns.add(7, 0, std::span(patterns));
  EXPECT_EQ(of_patterns.sums, sketch_of(7, values).sums);
}

TEST(WeightSketch, IsLinear) {
  const Values a = integers(30000, 1), b = integers(30000, 2);
  const Values of_a = sketched(5, a), of_b = sketched(5, b);
  EXPECT_EQ(sketched(5, difference(a, b)), difference(of_a, of_b));
  EXPECT_EQ(sketched(5, combination(a, 3, b)), combination(of_a, 3, of_b));
}

TEST(WeightSketch, PiecesOfWholeWindowsGiveTheSameBytes) {
  const Values values = normal_values<float>(5 * sketch_window + 777, 4, 0.02f);
  const WeightSketch whole = sketch_of(9, values);
  for (const std::size_t windows : {1ul, 2ul, 4ul}) {
    WeightSketch pieces;
    const std::size_t piece = windows * sketch_window;
    for (std::size_t start = 0; start < values.size(); start += piece) {
      pieces.add(9, start / sketch_size,
                 std::span(values).subspan(start, std::min(piece, values.size() - start)));
    }
    EXPECT_EQ(pieces.sums, whole.sums);
  }
}

TEST(WeightSketch, BlocksInAnyOrderAndMergedGiveTheSameSums) {
  const Values values = integers(200000, 5);
  WeightSketch merged;
  for (std::size_t first = 0; first < values.size(); first += 3 * sketch_size) {
    const std::size_t start = (values.size() - 1) / (3 * sketch_size) * (3 * sketch_size) - first;
    WeightSketch alone;
    alone.add(11, start / sketch_size,
              std::span(values).subspan(start, std::min(3 * sketch_size, values.size() - start)));
    merged.merge(alone);
  }
  EXPECT_EQ(merged.sums, sketch_of(11, values).sums);
}

TEST(WeightSketch, TensorsOfOneBlockAreExact) {
  for (const std::size_t size : {1ul, 2ul, 1000ul, 1024ul}) {
    const Values a = normal_values<float>(size, 6, 1, 1), b = normal_values<float>(size, 7, 1, 1);
    const Values of_a = sketched(13, a), of_b = sketched(13, b);
    const double square = std::transform_reduce(a.begin(), a.end(), b.begin(), 0.0, std::plus<>(),
                                                [](double x, double y) { return (x - y) * (x - y); });
    const SketchEstimate estimate = estimated_squared_distance(of_a, of_b, size_of(a));
    EXPECT_NEAR(estimate.value, square, 1e-12 * square);
    EXPECT_EQ(estimate.standard_error, 0);
  }
}

TEST(WeightSketch, IdenticalVersionsDidNotMove) {
  const Values values = normal_values<float>(100000, 8, 0.02f), sketch = sketched(1, values);
  const SketchEstimate distance = estimated_squared_distance(sketch, sketch, size_of(values));
  EXPECT_EQ(distance.value, 0);
  EXPECT_EQ(distance.standard_error, 0);
}

TEST(WeightSketch, NonFiniteElementsAreNotAveragedAway) {
  Values values = normal_values<float>(5000, 9);
  const Values sound = sketched(1, values);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    values[3333] = bad;
    const Values sketch = sketched(1, values);
    EXPECT_FALSE(std::isfinite(estimated_squared_distance(sketch, sound, 5000).value));
  }
}

/// Errors of estimates in units of standard errors.
struct Errors {
  std::vector<double> z;

  void add(const SketchEstimate& estimate, double exact) {
    z.push_back((estimate.value - exact) / estimate.standard_error);
  }
  double mean() const { return moescope::mean(z); }
  double root_mean_square() const {
    return std::sqrt(std::inner_product(z.begin(), z.end(), z.begin(), 0.0) / static_cast<double>(z.size()));
  }
  double largest() const {
    return std::accumulate(z.begin(), z.end(), 0.0,
                           [](double a, double b) { return std::max(a, std::abs(b)); });
  }
};

double squared_distance(const Values& a, const Values& b) {
  return std::pow(norm(difference(a, b)), 2);
}

SketchEstimate estimated(std::uint64_t key, const Values& a, const Values& b) {
  return estimated_squared_distance(sketched(key, a), sketched(key, b), size_of(a));
}

constexpr std::size_t blocks_of_pairs = 8;
/// With B blocks alike the true error is sqrt(1 - 1 / B) of the stated one; the root mean square of 1,000
/// normal errors scatters by 1 / sqrt(2000) = 0.022, their mean by 0.032 (four times each allowed, and for
/// the mean 0.044 beside, because the standard error is larger where the estimate is), and none in three
/// million lies beyond 5.
void expect_standard_errors(const Errors& errors) {
  EXPECT_NEAR(errors.mean(), 0, 0.17);
  EXPECT_NEAR(errors.root_mean_square(), std::sqrt(1 - 1.0 / blocks_of_pairs), 0.09);
  EXPECT_LT(errors.largest(), 5);
}

TEST(WeightSketch, EstimatesAreWithinTheirErrorsOnAThousandRandomPairs) {
  const std::size_t size = blocks_of_pairs * sketch_size;
  const Values pool = normal_values<float>(size + 2000, 10);
  Errors errors;
  for (std::size_t pair = 0; pair < 1000; ++pair) {
    const auto start = pool.begin() + static_cast<std::ptrdiff_t>(pair);
    const Values a(start, start + static_cast<std::ptrdiff_t>(size));
    const Values other(start + 1000, start + 1000 + static_cast<std::ptrdiff_t>(size));
    const float moved = std::pow(10.0f, -static_cast<float>(pair % 5));  // drift from 1 to 1e-4
    const Values b = combination(a, moved, other);
    errors.add(estimated(sketch_key("pair", pair), a, b), squared_distance(a, b));
  }
  expect_standard_errors(errors);
}

TEST(WeightSketch, UnrelatedVersionsAreWithinTheirErrorsToo) {
  const std::size_t size = blocks_of_pairs * sketch_size;
  const Values a = normal_values<float>(size, 11), b = normal_values<float>(size, 12);
  const double square = squared_distance(a, b);
  Errors errors;
  for (std::uint64_t seed = 0; seed < 1000; ++seed)
    errors.add(estimated(sketch_key("pair", seed), a, b), square);
  expect_standard_errors(errors);
}

/// Errors are at most the stated ones over the seeds, whatever the tensor: none is beyond 5 of them more
/// often than Chebyshev's 1 / 25 (normal ones never are), and the estimate is unbiased.
void expect_unbiased_within_errors(const Values& earlier, const Values& later) {
  const double square = squared_distance(earlier, later);
  Errors errors;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const SketchEstimate estimate = estimated(sketch_key("structured", seed), earlier, later);
    errors.add({estimate.value, square * std::sqrt(2 / m)}, square);
  }
  EXPECT_NEAR(errors.mean(), 0, 4 / std::sqrt(1000.0));
  EXPECT_LT(errors.root_mean_square(), 1.1);
  EXPECT_LT(std::count_if(errors.z.begin(), errors.z.end(), [](double z) { return std::abs(z) > 5; }), 40);
}

TEST(WeightSketch, ColumnsThatRepeatEveryBlockDoNotMeet) {
  Values earlier = normal_values<float>(40 * sketch_size, 13, 0.01f), later = earlier;
  for (std::size_t block = 0; block < 40; ++block) {
    for (const std::size_t column : {3ul, 500ul}) {
      earlier[block * sketch_size + column] = 5 + static_cast<float>(block % 7);
      later[block * sketch_size + column] = 6 + static_cast<float>(block % 3);
    }
  }
  expect_unbiased_within_errors(earlier, later);
}

TEST(WeightSketch, LowRankUpdatesAreWithinTheirErrors) {
  const Values rows = normal_values<float>(32, 14), columns = normal_values<float>(sketch_size, 15);
  const Values earlier = normal_values<float>(rows.size() * columns.size(), 16);
  Values later = earlier;
  for (std::size_t i = 0; i < later.size(); ++i)
    later[i] += 0.01f * rows[i / sketch_size] * columns[i % sketch_size];
  expect_unbiased_within_errors(earlier, later);
}

TEST(WeightSketch, AFewLargeElementsAreWithinTheirErrors) {
  const Values earlier = normal_values<float>(20 * sketch_size, 17);
  Values later = combination(earlier, 0.1f, normal_values<float>(earlier.size(), 18));
  for (const std::size_t i : {17ul, 4000ul, 9000ul, 12345ul, 20000ul}) later[i] += 20;
  expect_unbiased_within_errors(earlier, later);
}

TEST(WeightSketch, ConstantTensorsAreWithinTheirErrors) {
  const Values earlier(16 * sketch_size, 0.25f), later(16 * sketch_size, 0.5f);
  expect_unbiased_within_errors(earlier, later);
}

}  // namespace
}  // namespace moescope
