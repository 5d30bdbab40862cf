#include "analysis/kernels/block_scales.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "analysis/kernels/element_convert.h"
#include "analysis/kernels/matrix_product.h"
#include "analysis/machine/parallel.h"
#include "readers/model/weight.h"

namespace moescope {
namespace {

using testing::Each;
using testing::ElementsAre;

float value_of(unsigned pattern) {
  const auto byte = static_cast<std::byte>(pattern);
  float value = 0;
  convert_to_float(DType::f8_e4m3, {&byte, 1}, {&value, 1});
  return value;
}

// OCP 8-bit floating point, table 2.
TEST(Float8, HasTheValuesOfItsStandard) {
  EXPECT_EQ(value_of(0x7e), 448);
  EXPECT_EQ(value_of(0x08), 0x1p-6f);
  EXPECT_EQ(value_of(0x07), 7 * 0x1p-9f);
  EXPECT_EQ(value_of(0x01), 0x1p-9f);
  EXPECT_EQ(value_of(0xbc), -1.5f);
  EXPECT_TRUE(std::signbit(value_of(0x80)) && value_of(0x80) == 0);
  EXPECT_TRUE(std::isnan(value_of(0x7f)) && std::isnan(value_of(0xff)));
  for (unsigned pattern = 1; pattern < 0x7f; ++pattern)
    EXPECT_GT(value_of(pattern), value_of(pattern - 1)) << pattern;
}

// OCP Microscaling Formats, tables 5 and 7.
TEST(Float4, AreTwoToAByteAndHavePowersOfTwoAsScales) {
  const std::byte bytes[] = {std::byte{0x21}, std::byte{0xf7}, std::byte{0x80}};
  float values[6];
  convert_to_float(DType::f4, bytes, values);
  EXPECT_THAT(values, ElementsAre(0.5f, 1, 6, -6, 0, 0));
  const std::byte scales[] = {std::byte{127}, std::byte{130}, std::byte{0}, std::byte{255}};
  float powers[4];
  convert_to_float(DType::f8_e8m0, scales, powers);
  EXPECT_EQ(powers[0], 1);
  EXPECT_EQ(powers[1], 8);
  EXPECT_EQ(powers[2], 0x1p-127f);
  EXPECT_TRUE(std::isnan(powers[3]));
}

/// By the definition of table 1.
float float8_of(unsigned pattern) {
  const unsigned exponent = pattern >> 3 & 15, fraction = pattern & 7;
  const float magnitude = exponent == 0
                              ? std::ldexp(static_cast<float>(fraction), -9)
                              : std::ldexp(static_cast<float>(8 + fraction), static_cast<int>(exponent) - 10);
  return pattern & 0x80 ? -magnitude : magnitude;
}

std::vector<std::byte> every_pattern() {
  std::vector<std::byte> patterns(1 + 3 * 256);
  for (std::size_t i = 1; i < patterns.size(); ++i) patterns[i] = static_cast<std::byte>(i - 1);
  return patterns;
}

TEST(ExpandFloat8, RoundsTheProductWithTheScaleOnce) {
  const std::vector<std::byte> bytes = every_pattern();
  for (const float scale : {1.0f, 0.3f, -1.7e-3f, 0x1p-140f}) {
    for (const std::size_t count : {1, 7, 200, 767}) {  // not whole registers, from an odd address
      std::vector<float> values(count);
      expand_float8(bytes.data() + 1, count, scale, values.data());
      for (std::size_t i = 0; i < count; ++i) {
        const auto pattern = static_cast<unsigned>(bytes[i + 1]);
        const bool is_nan = (pattern & 0x7f) == 0x7f;
        const auto expected = is_nan ? (pattern & 0x80) << 24 | 0x7fc00000u
                                     : std::bit_cast<std::uint32_t>(float8_of(pattern) * scale);
        EXPECT_EQ(std::bit_cast<std::uint32_t>(values[i]), expected) << pattern;
      }
    }
  }
}

TEST(ExpandFloat8, GivesTheUpperHalvesAsBfloat16) {
  const std::vector<std::byte> bytes = every_pattern();
  std::vector<float> values(767);
  std::vector<Bfloat16> halves(767);
  expand_float8(bytes.data() + 1, 767, 1.125f, values.data());
  expand_float8(bytes.data() + 1, 767, 1.125f, halves.data());
  for (std::size_t i = 0; i < 767; ++i)
    EXPECT_EQ(static_cast<std::uint32_t>(halves[i]), std::bit_cast<std::uint32_t>(values[i]) >> 16);
}

/// A quantised weight with scales in F32.
Weight quantised(std::uint64_t rows, std::uint64_t cols, std::uint64_t block_rows, std::uint64_t block_cols) {
  Weight weight;
  weight.dtype = DType::f8_e4m3;
  weight.rows = rows;
  weight.cols = cols;
  weight.scales = StoredScales{.block_rows = block_rows, .block_cols = block_cols};
  return weight;
}

BlockScales scales_of(const Weight& weight, const std::vector<float>& values) {
  return read_block_scales(*weight.scales, weight.rows, weight.cols, std::as_bytes(std::span(values)));
}

TEST(BlockScales, BelongToBlocksOfWhichTheLastArePartial) {
  const Weight weight = quantised(3, 5, 2, 2);
  EXPECT_EQ(weight.scale_bytes(), 24u);
  const BlockScales scales = scales_of(weight, {1, 2, 3, 4, 5, 6});
  const std::vector<std::byte> ones(15, std::byte{0x38});
  std::vector<float> all(15), middle(4);
  convert_to_float(DType::f8_e4m3, ones, &scales, 0, all);
  EXPECT_THAT(all, ElementsAre(1, 1, 2, 2, 3, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6));
  convert_to_float(DType::f8_e4m3, std::span(ones).first(4), &scales, 8, middle);
  EXPECT_THAT(middle, ElementsAre(2, 3, 4, 4));
}

TEST(BlockScales, OfFourSignificantBitsGiveBfloat16Numbers) {
  const Weight weight = quantised(2, 4, 1, 4);
  EXPECT_TRUE(scales_of(weight, {0x1p-7f, 1.125f}).fit_bfloat16);
  EXPECT_FALSE(scales_of(weight, {0x1p-7f, 1.0625f}).fit_bfloat16);
  EXPECT_FALSE(scales_of(weight, {0x1p-120f, 1}).fit_bfloat16);
}

std::vector<std::byte> random_patterns(std::size_t count) {
  std::mt19937 random(5);
  std::vector<std::byte> patterns(count);
  for (std::byte& pattern : patterns) {
    const unsigned drawn = random() & 0xff;
    pattern = static_cast<std::byte>((drawn & 0x7f) == 0x7f ? 0 : drawn);  // no NaN
  }
  return patterns;
}

/// y (tokens, rows) of a tile.
Matrix product(const WeightTile& tile, const Matrix& x, Precision precision) {
  ThreadPool threads(2);
  Matrix y(x.rows, tile.rows);
  const TokenPanels panels = pack_panels(threads, x, precision);
  multiply(threads, tile, panels, store_rows(panels, y));
  return y;
}

Matrix random_tokens(std::size_t tokens, std::size_t features) {
  std::mt19937 random(6);
  std::normal_distribution<float> normal;
  Matrix x(tokens, features);
  for (float& value : x.values) value = normal(random);
  return x;
}

// A product is that of the weights as numbers: the same bits as of a twin that stores them so.
TEST(BlockScales, AQuantisedProductIsThatOfItsTwin) {
  const std::size_t rows = 150, columns = 300;
  const Weight weight = quantised(rows, columns, 128, 128);
  const std::vector<std::byte> patterns = random_patterns(rows * columns);
  for (const bool fits : {true, false}) {
    std::vector<float> values = {0.5f, 0.25f, 0.125f, 2, 1, 0.0625f};
    if (!fits) values[1] = 0.3f;
    const BlockScales scales = scales_of(weight, values);
    const WeightTile tile{DType::f8_e4m3, 0, rows, columns, patterns, &scales};
    std::vector<float> twin(rows * columns);
    convert_to_float(tile, twin);
    const WeightTile twin_tile{DType::f32, 0, rows, columns, std::as_bytes(std::span(twin))};
    const Matrix x = random_tokens(20, columns);
    EXPECT_EQ(product(tile, x, Precision::f32).values, product(twin_tile, x, Precision::f32).values);
    if (!fits) continue;
    std::vector<std::uint16_t> bfloat16(twin.size());
    std::ranges::transform(twin, bfloat16.begin(), [](float value) {
      return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
    });
    const WeightTile short_tile{DType::bf16, 0, rows, columns, std::as_bytes(std::span(bfloat16))};
    EXPECT_EQ(product(tile, x, Precision::bf16).values, product(short_tile, x, Precision::bf16).values);
    EXPECT_EQ(product(tile, x, Precision::f32).values, product(short_tile, x, Precision::f32).values);
  }
}

// Columns in more than one block of the activations, with a rest.
TEST(MatrixProduct, OfScaledBytesIsThatOfTheirTwin) {
  const std::size_t rows = 150, columns = 448;
  std::vector<std::byte> blocks = random_patterns(dtype_bytes(DType::q8_0, rows * columns));
  for (std::size_t block = 0; block < blocks.size(); block += 34)
    blocks[block + 1] = static_cast<std::byte>(0x2c);
  const WeightTile tile{DType::q8_0, 0, rows, columns, blocks};
  std::vector<float> twin(rows * columns);
  convert_to_float(tile, twin);
  const WeightTile twin_tile{DType::f32, 0, rows, columns, std::as_bytes(std::span(twin))};
  const Matrix x = random_tokens(20, columns);
  for (const Precision precision : {Precision::f32, Precision::bf16})
    EXPECT_EQ(product(tile, x, precision).values, product(twin_tile, x, precision).values);
}

TEST(MatrixProduct, OfATransposedTileIsThatOfTheMatrix) {
  const std::size_t rows = 150, columns = 300;
  std::mt19937 random(8);
  std::vector<float> matrix(rows * columns), transposed(rows * columns);
  for (float& value : matrix)
    value = static_cast<float>(static_cast<int>(random() % 255) - 127) / 64;  // in bfloat16, too
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) transposed[c * rows + r] = matrix[r * columns + c];
  }
  const Matrix x = random_tokens(20, columns);
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    WeightTile tile{DType::f32, 0, rows, columns, std::as_bytes(std::span(matrix))};
    const Matrix expected = product(tile, x, precision);
    tile.bytes = std::as_bytes(std::span(transposed));
    tile.transposed = true;
    EXPECT_EQ(product(tile, x, precision).values, expected.values);
    std::vector<std::uint16_t> short_matrix(matrix.size()), short_transposed(matrix.size());
    const auto pattern = [](float value) {
      return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
    };
    std::ranges::transform(matrix, short_matrix.begin(), pattern);
    std::ranges::transform(transposed, short_transposed.begin(), pattern);
    WeightTile short_tile{DType::bf16, 0, rows, columns, std::as_bytes(std::span(short_matrix))};
    const Matrix short_expected = product(short_tile, x, precision);
    short_tile.bytes = std::as_bytes(std::span(short_transposed));
    short_tile.transposed = true;
    EXPECT_EQ(product(short_tile, x, precision).values, short_expected.values);
  }
}

}  // namespace
}  // namespace moescope
