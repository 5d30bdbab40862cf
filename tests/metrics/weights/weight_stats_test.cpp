#include "metrics/weights/weight_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/random_values.h"
#include "tests/support/special_values.h"

namespace moescope {
namespace {

TEST(WeightStats, MatchesAnExampleByHand) {
  const WeightStats stats = weight_stats(std::vector<float>{3, -4, 0, 0});
  EXPECT_EQ(stats.element_count, 4);
  EXPECT_EQ(stats.norm, 5);
  EXPECT_EQ(stats.mean, -0.25);
  EXPECT_DOUBLE_EQ(stats.standard_deviation, std::sqrt(25.0 / 4 - 1.0 / 16));
  EXPECT_EQ(stats.max_abs, 4);
  EXPECT_EQ(stats.min, -4);
  EXPECT_EQ(stats.max, 3);
  EXPECT_EQ(stats.zero_count, 2);
  // Deviations 3.25, -3.75, 0.25, 0.25: m2 = 24.75 / 4, m4 = 309.328125 / 4.
  EXPECT_DOUBLE_EQ(stats.kurtosis, 309.328125 / 4 / (6.1875 * 6.1875));
}

TEST(WeightStats, AgreesWithExtendedPrecision) {
  const std::vector<float> values = normal_values<float>(100003, 1, 0.01f, 1);
  long double sum = 0, squares = 0, deviations = 0, fourths = 0;
  for (const float value : values) sum += value;
  const long double mean = sum / static_cast<long double>(values.size());
  for (const float value : values) {
    squares += static_cast<long double>(value) * value;
    deviations += (value - mean) * (value - mean);
    fourths += (value - mean) * (value - mean) * (value - mean) * (value - mean);
  }
  const WeightStats stats = weight_stats(values);
  EXPECT_NEAR(stats.mean, static_cast<double>(mean), 1e-14);
  EXPECT_NEAR(stats.norm, static_cast<double>(std::sqrt(squares)), 1e-11);
  const auto expected = static_cast<double>(std::sqrt(deviations / static_cast<long double>(values.size())));
  EXPECT_NEAR(stats.standard_deviation / expected, 1, 1e-13);
  const long double kurtosis = fourths * static_cast<long double>(values.size()) / deviations / deviations;
  EXPECT_NEAR(stats.kurtosis, static_cast<double>(kurtosis), 1e-12);
}

TEST(WeightStats, ConstantWeightsHaveNoSpread) {
  const WeightStats stats = weight_stats(std::vector<float>(10000, 0.1f));
  EXPECT_EQ(stats.standard_deviation, 0);
  EXPECT_THAT(stats.kurtosis, testing::IsNan());
}

TEST(WeightStats, KurtosisIsThatOfKnownDistributions) {
  // The standard error of a normal sample's kurtosis is sqrt(24 / n) = 0.005.
  EXPECT_NEAR(weight_stats(normal_values<float>(1000000, 5, 0.01f, 5)).kurtosis, 3, 0.02);
  std::vector<float> evenly, signs, spike(10000);
  for (int i = 0; i < 10001; ++i) evenly.push_back(static_cast<float>(i));
  for (int i = 0; i < 5000; ++i) signs.push_back(i % 2 == 0 ? 7.0f : 9.0f);
  spike[4321] = -2;
  const double n = 10001;
  EXPECT_NEAR(weight_stats(evenly).kurtosis, 1.8 - 2.4 / (n * n - 1), 1e-12);  // discrete uniform
  EXPECT_DOUBLE_EQ(weight_stats(signs).kurtosis, 1);                           // the least there is
  const double p = 1e-4;
  EXPECT_NEAR(weight_stats(spike).kurtosis, 1 / (p * (1 - p)) - 3, 1e-8);  // of a Bernoulli variable
}

TEST(WeightStats, KurtosisSurvivesBlocksOfDifferentMeansAndSpreads) {
  std::vector<float> values = normal_values<float>(3000, 6, 0.001f, -1);
  for (const float value : normal_values<float>(700, 7, 1, 2)) values.push_back(value);
  values.resize(values.size() + 5000);  // zeros
  long double sum = 0, squares = 0, fourths = 0;
  for (const float value : values) sum += value;
  for (const float value : values) {
    const long double deviation = value - sum / static_cast<long double>(values.size());
    squares += deviation * deviation;
    fourths += deviation * deviation * deviation * deviation;
  }
  const long double expected = fourths * static_cast<long double>(values.size()) / squares / squares;
  const WeightStats stats = weight_stats(values);
  EXPECT_NEAR(stats.kurtosis, static_cast<double>(expected), 1e-12);
  EXPECT_EQ(stats.zero_count, 5000);
}

TEST(WeightStats, MergingBlocksIntoLargerOnesIsAsExact) {
  const std::vector<float> values = normal_values<float>(50 * weight_block_size, 4, 0.5f, 3);
  WeightStatsSum outer;
  for (std::size_t start = 0; start < values.size(); start += 10 * weight_block_size) {
    WeightStatsSum inner;
    for (std::size_t block = 0; block < 10; ++block) {
      inner.add(
          weight_moments(std::span(values).subspan(start + block * weight_block_size, weight_block_size)));
    }
    outer.add(inner.moments());
  }
  const WeightStats expected = weight_stats(values);
  EXPECT_DOUBLE_EQ(outer.result().norm, expected.norm);
  EXPECT_DOUBLE_EQ(outer.result().mean, expected.mean);
  EXPECT_DOUBLE_EQ(outer.result().standard_deviation, expected.standard_deviation);
  EXPECT_NEAR(outer.result().kurtosis, expected.kurtosis, 1e-13);
  EXPECT_EQ(outer.result().max_abs, expected.max_abs);
  EXPECT_EQ(outer.result().min, expected.min);
}

TEST(WeightStats, ZerosOfBothSignsAreCounted) {
  std::vector<float> values(3 * weight_block_size, -0.0f);
  values.insert(values.end(), {0, 1e-45f, nan_f32, infinity_f32, 0});  // a denormal is not zero
  EXPECT_EQ(weight_stats(values).zero_count, 3 * 1024 + 2);
}

TEST(WeightStats, DenormalsAreThoseOfTheStoredType) {
  const std::vector<float> values = {0,        -0.0f,       0x1p-149f, -0x1.fp-127f, 0x1p-126f,
                                     0x1p-24f, -0x1.fp-15f, 0x1p-14f,  nan_f32,      1};
  EXPECT_EQ(weight_stats(values).denormal_count, 2);
  EXPECT_EQ(weight_moments(values, least_normal_float16).denormal_count, 5);
  EXPECT_EQ(weight_moments(values, least_normal_float16).zero_count, 2);
}

TEST(WeightStats, ExtremesHaveTheirSigns) {
  std::vector<float> values = normal_values<float>(3 * weight_block_size + 5, 8, 1, -100);
  values[2000] = -200, values[3000] = -0.5f;
  const WeightStats stats = weight_stats(values);
  EXPECT_EQ(stats.min, -200);
  EXPECT_EQ(stats.max, -0.5);
  EXPECT_EQ(stats.max_abs, 200);
  const WeightStats zeros = weight_stats(std::vector<float>(2000, -0.0f));
  for (const double extreme : {zeros.min, zeros.max, zeros.max_abs}) {
    EXPECT_EQ(extreme, 0);
    EXPECT_FALSE(std::signbit(extreme));
  }
}

TEST(WeightStats, NonFiniteElementsAreCountedAndLeftOut) {
  const WeightStats stats = weight_stats(std::vector<float>{3, nan_f32, 4, infinity_f32, -infinity_f32});
  EXPECT_EQ(stats.element_count, 5);
  EXPECT_EQ(stats.nonfinite_count, 3);
  EXPECT_EQ(stats.norm, 5);
  EXPECT_EQ(stats.mean, 3.5);
  EXPECT_EQ(stats.standard_deviation, 0.5);
  EXPECT_EQ(stats.max_abs, 4);
  EXPECT_EQ(stats.min, 3);
  EXPECT_EQ(stats.max, 4);
}

TEST(WeightStats, AWholeBlockOfNanLeavesTheRest) {
  std::vector<float> values(weight_block_size, nan_f32);
  values.insert(values.end(), {1, 3});
  const WeightStats stats = weight_stats(values);
  EXPECT_EQ(stats.nonfinite_count, 1024);
  EXPECT_EQ(stats.mean, 2);
  EXPECT_EQ(stats.standard_deviation, 1);
}

TEST(WeightStats, AreUnknownWithoutFiniteElements) {
  for (const std::vector<float>& values : {std::vector<float>{}, std::vector<float>{nan_f32, nan_f32}}) {
    const WeightStats stats = weight_stats(values);
    EXPECT_EQ(stats.nonfinite_count, static_cast<std::int64_t>(values.size()));
    EXPECT_THAT(stats.norm, testing::IsNan());
    EXPECT_THAT(stats.mean, testing::IsNan());
    EXPECT_THAT(stats.standard_deviation, testing::IsNan());
    EXPECT_THAT(stats.kurtosis, testing::IsNan());
    EXPECT_THAT(stats.max_abs, testing::IsNan());
    EXPECT_THAT(stats.min, testing::IsNan());
    EXPECT_THAT(stats.max, testing::IsNan());
    EXPECT_EQ(stats.zero_count, 0);
  }
}

TEST(WeightStats, TheLargestFloatsDoNotOverflow) {
  const float largest = std::numeric_limits<float>::max();
  std::vector<float> values(100, largest);
  for (std::size_t i = 0; i < values.size(); i += 2) values[i] = -largest;
  const WeightStats stats = weight_stats(values);
  EXPECT_NEAR(stats.norm / largest, 10, 1e-14);
  EXPECT_DOUBLE_EQ(stats.kurtosis, 1);
  EXPECT_EQ(stats.max_abs, largest);
}

}  // namespace
}  // namespace moescope
