#include "analysis/kernels/product_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "analysis/kernels/activations.h"
#include "analysis/kernels/element_convert.h"
#include "tests/support/random_values.h"
#include "tests/support/special_values.h"

namespace moescope {
namespace {

/// Whether a multiply-add is rounded once on this processor.
bool has_fused_multiply_add() {
#if defined(__x86_64__) && !defined(__FMA__)
  return __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

/// What VDPBF16PS makes of a number below the least normal one, given to it or found by it.
float without_subnormal(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value) : value;
}

/// Operands of one call: odd sizes, rows further apart than they are long, values that bfloat16 holds.
struct Operands {
  std::size_t rows, depth, tokens;
  std::size_t stride = depth + 3, panels = (tokens + panel_lanes - 1) / panel_lanes;
  AlignedFloats w = AlignedFloats(rows * stride);
  AlignedFloats x = AlignedFloats(panels * depth * panel_lanes);
  AlignedFloats y = AlignedFloats(panels * rows * panel_lanes);

  Operands(std::size_t r, std::size_t d, std::size_t t) : rows(r), depth(d), tokens(t) {
    fill_normal(w, 1);
    fill_normal(x, 2);
    fill_normal(y, 3);
    for (float& value : w) value = round_to_bfloat16(value);
    for (float& value : x) value = round_to_bfloat16(value);
  }

  /// The same numbers, most of which are so small that products and sums are subnormal, or they are
  /// themselves.
  void shrink() {
    for (AlignedFloats* values : {&w, &x, &y}) {
      for (std::size_t i = 0; i < values->size(); ++i)
        (*values)[i] = std::ldexp(
            (*values)[i], values == &y ? -124 - static_cast<int>(i % 6) : -56 - static_cast<int>(i % 9) * 9);
    }
    for (AlignedFloats* values : {&w, &x})
      std::ranges::transform(*values, values->begin(), round_to_bfloat16);
  }

  /// The definition: one chain, the second of each pair of columns first. `kept` is what is left of a number.
  float expected(std::size_t token, std::size_t row, float (*kept)(float)) const {
    const std::size_t panel = token / panel_lanes, lane = token % panel_lanes;
    float sum = kept(y[(panel * rows + row) * panel_lanes + lane]);
    const auto add = [&](std::size_t k) {
      sum = kept(std::fma(kept(w[row * stride + k]), kept(x[(panel * depth + k) * panel_lanes + lane]), sum));
    };
    for (std::size_t k = 0; k < depth; k += 2) {
      if (k + 1 < depth) add(k + 1);
      add(k);
    }
    return sum;
  }
  AlignedFloats float_product() const {
    AlignedFloats result = y;
    accumulate_product(w.data(), stride, rows, depth,
                       {x.data(), depth * panel_lanes, result.data(), rows * panel_lanes}, tokens);
    return result;
  }
  AlignedFloats bfloat16_product() const {
    const std::size_t x_stride = (depth + depth % 2) * panel_lanes;
    Aligned<Bfloat16> weights(w.size()), pairs(panels * x_stride);
    for (std::size_t i = 0; i < w.size(); ++i) {
      weights[i] = static_cast<Bfloat16>(std::bit_cast<std::uint32_t>(w[i]) >> 16);
    }
    for (std::size_t p = 0; p < panels; ++p) {
      round_panel(x.data() + p * depth * panel_lanes, depth, pairs.data() + p * x_stride);
    }
    AlignedFloats result = y;
    accumulate_product(weights.data(), stride, rows, depth,
                       {pairs.data(), x_stride, result.data(), rows * panel_lanes}, tokens);
    return result;
  }
  void check(
      const AlignedFloats& product, float (*kept)(float) = [](float value) { return value; }) const {
    for (std::size_t token = 0; token < tokens; ++token) {
      for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t panel = token / panel_lanes, lane = token % panel_lanes;
        ASSERT_EQ(product[(panel * rows + row) * panel_lanes + lane], expected(token, row, kept))
            << rows << " rows, " << depth << " columns, token " << token << " of " << tokens << ", row "
            << row;
      }
    }
  }
};

template <class Check>
void for_each_shape(Check check) {
  for (std::size_t rows : {1u, 3u, 4u, 11u, 12u, 13u, 48u}) {
    for (std::size_t depth : {1u, 2u, 37u, 64u}) {
      for (std::size_t tokens : {1u, 8u, 9u, 16u, 17u, 24u, 25u, 32u, 41u})
        check(Operands(rows, depth, tokens));
    }
  }
}

TEST(AccumulateProduct, IsOneChainOfFusedMultiplyAddsSecondOfEachPairFirst) {
  if (!has_fused_multiply_add()) GTEST_SKIP() << "no fused multiply-add on this processor";
  for_each_shape([](const Operands& operands) { operands.check(operands.float_product()); });
}

TEST(AccumulateProduct, OfBfloat16IsTheSameChain) {
  if (!has_native_bfloat16()) GTEST_SKIP() << "no AVX512_BF16 on this processor";
  for_each_shape([](const Operands& operands) { operands.check(operands.bfloat16_product()); });
}

// The one difference between processors: subnormal numbers.
TEST(AccumulateProduct, OfBfloat16TakesSubnormalNumbersForZero) {
  if (!has_native_bfloat16()) GTEST_SKIP() << "no AVX512_BF16 on this processor";
  for_each_shape([](Operands operands) {
    operands.shrink();
    operands.check(operands.bfloat16_product(), without_subnormal);
  });
}

TEST(AccumulateProduct, OfFloatsKeepsSubnormalNumbers) {
  if (!has_fused_multiply_add()) GTEST_SKIP() << "no fused multiply-add on this processor";
  for_each_shape([](Operands operands) {
    operands.shrink();
    operands.check(operands.float_product());
  });
}

TEST(AccumulateProduct, SplittingTheDepthAtAPairChangesNothing) {
  const Operands whole(7, 100, 16);
  AlignedFloats parts = whole.y;
  accumulate_product(whole.w.data(), whole.stride, 7, 34, {whole.x.data(), 0, parts.data(), 0}, 16);
  accumulate_product(whole.w.data() + 34, whole.stride, 7, 66,
                     {whole.x.data() + 34 * panel_lanes, 0, parts.data(), 0}, 16);
  EXPECT_EQ(whole.float_product(), parts);
}

TEST(RoundPanel, AgreesWithTheScalarRounding) {
  AlignedFloats values(256 * panel_lanes), rounded(values.size()), expanded(values.size());
  fill_normal(values, 8);
  values[0] = std::nanf("");
  values[1] = infinity_f32;
  values[2] = -infinity_f32;
  values[3] = std::numeric_limits<float>::max();
  values[4] = 1.0f + 0x1p-8f;
  round_panel(values.data(), 256, rounded.data());
  Aligned<Bfloat16> pairs(values.size());
  round_panel(values.data(), 256, pairs.data());
  expand_panel(pairs.data(), 256, expanded.data());
  EXPECT_TRUE(std::isnan(rounded[0]));
  EXPECT_TRUE(std::isnan(expanded[0]));
  for (std::size_t i = 1; i < values.size(); ++i) {
    EXPECT_EQ(rounded[i], round_to_bfloat16(values[i])) << i;
    EXPECT_EQ(expanded[i], rounded[i]) << i;
  }
}

TEST(RoundPanel, PairsAnOddLastColumnWithZero) {
  AlignedFloats x(3 * panel_lanes, 1.0f);
  Aligned<Bfloat16> pairs(4 * panel_lanes, Bfloat16{0xffff});
  round_panel(x.data(), 3, pairs.data());
  for (std::size_t lane = 0; lane < panel_lanes; ++lane) {
    EXPECT_EQ(pairs[2 * panel_lanes + 2 * lane], Bfloat16{0x3f80});
    EXPECT_EQ(pairs[2 * panel_lanes + 2 * lane + 1], Bfloat16{0});
  }
}

TEST(ExpandBfloat16, IsExactFromAnyAddress) {
  std::vector<std::byte> bytes(2 * 65536 + 1);
  for (std::size_t i = 0; i < 65536; ++i) {
    bytes[1 + 2 * i] = static_cast<std::byte>(i & 0xff);
    bytes[2 + 2 * i] = static_cast<std::byte>(i >> 8);
  }
  std::vector<float> values(65535);  // not a whole number of registers
  expand_bfloat16(bytes.data() + 1, 0, 1, values.size(), values.data(), 0);
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(values[i]), i << 16);
  }
}

}  // namespace
}  // namespace moescope
