#include "analysis/kernels/element_convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace moescope {
namespace {

/// Value of a small binary float from its fields, by the definition in IEEE 754.
double value_of(unsigned bits, int exponent_bits, int fraction_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const double fraction = bits & ((1u << fraction_bits) - 1);
  const double sign = bits >> (exponent_bits + fraction_bits) ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
  }
  const double significand = exponent == 0 ? fraction : fraction + (1 << fraction_bits);
  return sign * std::ldexp(significand, std::max(exponent, 1) - bias - fraction_bits);
}

void expect_all_values(DType dtype, int exponent_bits, int fraction_bits) {
  std::vector<std::uint16_t> stored(65536);
  for (unsigned i = 0; i < stored.size(); ++i) stored[i] = static_cast<std::uint16_t>(i);
  std::vector<float> values(stored.size());
  convert_to_float(dtype, std::as_bytes(std::span(stored)), values);
  for (unsigned i = 0; i < stored.size(); ++i) {
    const double expected = value_of(i, exponent_bits, fraction_bits);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(values[i])) << i;
    } else {
      EXPECT_EQ(values[i], expected) << i;
      EXPECT_EQ(std::signbit(values[i]), std::signbit(expected)) << i;
    }
  }
}

TEST(ElementConvert, Bfloat16IsExactForAllValues) {
  expect_all_values(DType::bf16, 8, 7);
}
TEST(ElementConvert, Float16IsExactForAllValues) {
  expect_all_values(DType::f16, 5, 10);
}

TEST(ElementConvert, Float32MayBeUnaligned) {
  const float value = 1.25f;
  std::vector<std::byte> bytes(1 + sizeof(value));
  std::memcpy(bytes.data() + 1, &value, sizeof(value));
  float out = 0;
  convert_to_float(DType::f32, std::span(bytes).subspan(1), std::span(&out, 1));
  EXPECT_EQ(out, value);
}

// A block is an F16 number and 32 signed bytes; each product is rounded to float32 once.
TEST(ElementConvert, ScaledBytesAreTheirProducts) {
  const std::uint16_t scales[] = {0x3c00, 0xb555, 0x0001, 0x7bff};  // 1, -0.3333, 2^-24, 65504
  std::vector<std::byte> bytes;
  for (const std::uint16_t scale : scales) {
    bytes.push_back(static_cast<std::byte>(scale & 0xff));
    bytes.push_back(static_cast<std::byte>(scale >> 8));
    for (int i = 0; i < 32; ++i) bytes.push_back(static_cast<std::byte>(i * 8 - 128 + (i == 31 ? 7 : 0)));
  }
  ASSERT_EQ(bytes.size(), dtype_bytes(DType::q8_0, 128));
  EXPECT_EQ(dtype_elements(DType::q8_0, bytes.size()), 128u);
  std::vector<float> values(128);
  convert_to_float(DType::q8_0, bytes, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const int number = static_cast<int>(i % 32) * 8 - 128 + (i % 32 == 31 ? 7 : 0);
    EXPECT_EQ(values[i], static_cast<float>(value_of(scales[i / 32], 5, 10) * number)) << i;
  }
}

TEST(ElementConvert, RoundsToNearestEven) {
  EXPECT_EQ(round_to_bfloat16(1.0f + 0x1p-8f), 1.0f);                // tie: even neighbour below
  EXPECT_EQ(round_to_bfloat16(1.0f + 3 * 0x1p-8f), 1.0f + 0x1p-6f);  // tie: even neighbour above
  EXPECT_EQ(round_to_bfloat16(1.0f + 0x1.02p-8f), 1.0f + 0x1p-7f);
  EXPECT_EQ(round_to_bfloat16(std::numeric_limits<float>::max()), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(round_to_bfloat16(std::nanf(""))));
}

}  // namespace
}  // namespace moescope
