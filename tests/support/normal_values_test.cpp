#include "tests/support/normal_values.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace moescope {
namespace {

constexpr std::size_t count = 1 << 20;

std::vector<float> f32_values(std::uint64_t seed, std::string_view name,
                              const NormalValues::Distribution& distribution) {
  std::vector<float> values(count);
  NormalValues(seed, name, distribution, DType::f32).fill(0, std::as_writable_bytes(std::span(values)));
  return values;
}

std::vector<std::uint16_t> bf16_values(const NormalValues::Distribution& distribution) {
  std::vector<std::uint16_t> values(count);
  NormalValues(1, "tensor", distribution, DType::bf16).fill(0, std::as_writable_bytes(std::span(values)));
  return values;
}

double mean_of_products(const std::vector<float>& a, const std::vector<float>& b, std::size_t lag = 0) {
  double sum = 0;
  for (std::size_t i = 0; i + lag < a.size(); ++i) sum += double{a[i]} * b[i + lag];
  return sum / static_cast<double>(a.size() - lag);
}

// Of N independent normal deviates, mean, variance and fourth moment deviate by 1, sqrt(2) and sqrt(96) times
// 1/sqrt(N): 0.001 here. Bounds are five times that.
TEST(NormalValues, HaveTheMomentsOfTheNormalDistribution) {
  const std::vector<float> values = f32_values(1, "tensor", {});
  double mean = 0, square = 0, fourth = 0;
  for (const float value : values) {
    mean += value;
    square += double{value} * value;
    fourth += std::pow(double{value}, 4);
  }
  EXPECT_NEAR(mean / count, 0, 0.005);
  EXPECT_NEAR(square / count, 1, 0.007);
  EXPECT_NEAR(fourth / count, 3, 0.05);
}

TEST(NormalValues, AreIndependentOfTheirNeighboursAndOfOtherTensors) {
  const std::vector<float> values = f32_values(1, "tensor", {});
  for (std::size_t lag : {1, 2, 3, 4, 64, 4096})
    EXPECT_NEAR(mean_of_products(values, values, lag), 0, 0.005) << lag;
  EXPECT_NEAR(mean_of_products(values, f32_values(1, "tensos", {})), 0, 0.005);
  EXPECT_NEAR(mean_of_products(values, f32_values(2, "tensor", {})), 0, 0.005);
}

TEST(NormalValues, TakeMeanAndDeviation) {
  const std::vector<float> standard = f32_values(1, "tensor", {}), values = f32_values(1, "tensor", {1, 0.1});
  for (std::size_t i = 0; i < count; i += 1000) EXPECT_NEAR(values[i], 1 + 0.1 * standard[i], 1e-6);
}

TEST(NormalValues, AreTheSameRoundedToBf16) {
  for (const NormalValues::Distribution& distribution :
       {NormalValues::Distribution{0, 0.02}, NormalValues::Distribution{1, 0.1, 2, 0.3}}) {
    const std::vector<float> exact = f32_values(1, "tensor", distribution);
    const std::vector<std::uint16_t> rounded = bf16_values(distribution);
    for (std::size_t i = 0; i < count; i += 97) {
      const auto value = std::bit_cast<float>(std::uint32_t{rounded[i]} << 16);
      EXPECT_NEAR(value, exact[i], std::fabs(exact[i]) / 256);
    }
  }
}

TEST(NormalValues, DoNotDependOnHowTheyAreCut) {
  for (const std::size_t changes : {0, 2}) {
    const NormalValues values(1, "tensor", {0, 1, changes, 0.1}, DType::bf16);
    std::vector<std::uint16_t> whole(10'001), parts(10'001);
    values.fill(0, std::as_writable_bytes(std::span(whole)));
    values.fill(0, std::as_writable_bytes(std::span(parts).first(4096)));
    values.fill(4096, std::as_writable_bytes(std::span(parts).subspan(4096, 4096)));
    values.fill(8192, std::as_writable_bytes(std::span(parts).subspan(8192)));
    EXPECT_EQ(parts, whole);
    EXPECT_NE(whole.back(), 0);  // element 10,000 begins a word of its own
  }
}

TEST(NormalValues, ChangeByIndependentSteps) {
  const std::vector<float> before = f32_values(1, "tensor", {0, 2, 1, 0.1}),
                           after = f32_values(1, "tensor", {0, 2, 2, 0.1});
  std::vector<float> step(count);
  for (std::size_t i = 0; i < count; ++i) step[i] = after[i] - before[i];
  EXPECT_NEAR(std::sqrt(mean_of_products(step, step)), 0.2, 0.001);
  EXPECT_NEAR(mean_of_products(step, before), 0, 0.002);
}

TEST(NormalValues, RefuseOtherTypes) {
  EXPECT_THROW(NormalValues(1, "tensor", {}, DType::f16), std::invalid_argument);
}

}  // namespace
}  // namespace moescope
