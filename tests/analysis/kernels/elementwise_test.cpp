#include "analysis/kernels/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "analysis/kernels/activations.h"
#include "tests/support/random_values.h"
#include "tests/support/special_values.h"

namespace moescope {
namespace {

TEST(SiluMultiply, AgreesWithTheFormulaInDoublePrecision) {
  AlignedFloats gate(1024), up(1024);
  fill_normal(gate, 6, 10.0f);
  fill_normal(up, 7);
  const AlignedFloats before = gate;
  silu_multiply(gate.data(), up.data(), gate.size());
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const double x = before[i], expected = x / (1 + std::exp(-x)) * static_cast<double>(up[i]);
    EXPECT_NEAR(gate[i], expected, 1e-6 * std::abs(expected) + 1e-30) << x;
  }
}

TEST(SiluMultiply, IsRightAtTheExtremes) {
  AlignedFloats gate(16), up(16, 1.0f);
  gate[0] = 200.0f;
  gate[1] = -200.0f;
  gate[2] = nan_f32;
  gate[3] = infinity_f32;
  silu_multiply(gate.data(), up.data(), gate.size());
  EXPECT_EQ(gate[0], 200.0f);
  EXPECT_EQ(gate[1], 0.0f);
  EXPECT_TRUE(std::isnan(gate[2]));
  EXPECT_EQ(gate[3], infinity_f32);
}

TEST(SoftmaxStep, BlocksOfKeysGiveTheSoftmaxOfAll) {
  const std::size_t keys = 100;
  const float scale = 0.25f;
  AlignedFloats scores(keys * panel_lanes);
  fill_normal(scores, 9, 20.0f);
  const AlignedFloats original = scores;
  AlignedFloats maximum(panel_lanes, masked_score), sum(panel_lanes, 0.0f), rescale(panel_lanes),
      weighted(panel_lanes, 0.0f);
  for (std::size_t first = 0; first < keys; first += 64) {
    const std::size_t count = std::min<std::size_t>(64, keys - first);
    softmax_step(scores.data() + first * panel_lanes, count, scale, maximum.data(), sum.data(),
                 rescale.data());
    for (std::size_t lane = 0; lane < panel_lanes; ++lane) {
      weighted[lane] *= rescale[lane];
      for (std::size_t k = first; k < first + count; ++k) {
        weighted[lane] += scores[k * panel_lanes + lane] * static_cast<float>(k);
      }
    }
  }
  for (std::size_t lane = 0; lane < panel_lanes; ++lane) {
    double total = 0, expected = 0;
    for (std::size_t k = 0; k < keys; ++k) {
      const double share =
          std::exp(static_cast<double>(scale) * static_cast<double>(original[k * panel_lanes + lane]));
      total += share;
      expected += share * static_cast<double>(k);
    }
    EXPECT_NEAR(weighted[lane] / sum[lane], expected / total, 1e-4);
  }
}

TEST(SoftmaxStep, FullyMaskedKeysLeaveNoTrace) {
  AlignedFloats scores(8 * panel_lanes, masked_score);
  AlignedFloats maximum(panel_lanes, masked_score), sum(panel_lanes, 0.0f), rescale(panel_lanes);
  softmax_step(scores.data(), 4, 0.1f, maximum.data(), sum.data(), rescale.data());
  float* seen = scores.data() + 4 * panel_lanes;
  std::fill_n(seen, 4 * panel_lanes, 3.0f);
  softmax_step(seen, 4, 0.1f, maximum.data(), sum.data(), rescale.data());
  for (std::size_t lane = 0; lane < panel_lanes; ++lane) {
    EXPECT_EQ(rescale[lane], 0.0f);
    EXPECT_EQ(sum[lane], 4.0f);
  }
}

TEST(ExpSum, AgreesWithDoublePrecisionAndKeepsNaN) {
  const std::size_t rows = 48;
  AlignedFloats logits(rows * panel_lanes), maximum(panel_lanes), sum(panel_lanes);
  fill_normal(logits, 10, 5.0f);
  logits[20 * panel_lanes + 3] = nan_f32;
  exp_sum(logits.data(), rows, maximum.data(), sum.data());
  EXPECT_TRUE(std::isnan(sum[3]));
  for (std::size_t lane : {0u, 1u, 2u, 15u}) {
    double expected = 0;
    for (std::size_t r = 0; r < rows; ++r)
      expected += std::exp(static_cast<double>(logits[r * panel_lanes + lane]));
    EXPECT_NEAR(static_cast<double>(sum[lane]) * std::exp(static_cast<double>(maximum[lane])), expected,
                1e-5 * expected);
  }
}

}  // namespace
}  // namespace moescope
