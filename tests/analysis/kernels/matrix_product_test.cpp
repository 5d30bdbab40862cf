#include "analysis/kernels/matrix_product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "analysis/kernels/element_convert.h"
#include "analysis/machine/parallel.h"
#include "tests/support/random_values.h"

namespace moescope {
namespace {

/// A random matrix in BF16, with its values as float32.
struct StoredMatrix {
  std::size_t rows, columns;
  std::vector<std::uint16_t> stored;
  std::vector<float> values;

  StoredMatrix(std::size_t r, std::size_t c, std::uint32_t seed)
      : rows(r), columns(c), stored(r * c), values(r * c) {
    fill_normal(values, seed);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = round_to_bfloat16(values[i]);
      stored[i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(values[i]) >> 16);
    }
  }
  WeightTile tile(std::size_t first = 0, std::size_t count = SIZE_MAX) const {
    count = std::min(count, rows - first);
    return {DType::bf16, first, count, columns,
            std::as_bytes(std::span(stored)).subspan(first * columns * 2, count * columns * 2)};
  }
};

Matrix random_matrix(std::size_t rows, std::size_t columns, std::uint32_t seed) {
  Matrix m(rows, columns);
  fill_normal(m.values, seed);
  return m;
}

TEST(MatrixProduct, AgreesWithDoublePrecision) {
  ThreadPool threads(2);
  const StoredMatrix w(101, 530, 1);
  const Matrix x = random_matrix(37, 530, 2);
  const TokenPanels panels = pack_panels(threads, x, Precision::f32);
  Matrix y(37, 101);
  multiply(threads, w.tile(), panels, store_rows(panels, y));
  for (std::size_t t = 0; t < y.rows; ++t) {
    for (std::size_t r = 0; r < w.rows; ++r) {
      double expected = 0;
      for (std::size_t k = 0; k < w.columns; ++k) {
        expected += static_cast<double>(w.values[r * w.columns + k]) * static_cast<double>(x.row(t)[k]);
      }
      // A chain of 530 float32 additions of terms near 1.
      EXPECT_NEAR(y.row(t)[r], expected, 2e-4);
    }
  }
}

TEST(MatrixProduct, BytesDoNotDependOnThreadsTilesOrOtherTokens) {
  const StoredMatrix w(200, 300, 3);
  const Matrix x = random_matrix(1100, 300, 4);  // more than one block of panels
  ThreadPool one(1), three(3);
  const TokenPanels panels = pack_panels(one, x, Precision::f32);
  Matrix whole(x.rows, w.rows), tiled(x.rows, w.rows);
  multiply(one, w.tile(), panels, store_rows(panels, whole));
  multiply(three, w.tile(0, 96), panels, store_rows(panels, tiled));
  multiply(three, w.tile(96), panels, store_rows(panels, tiled));
  EXPECT_EQ(whole.values, tiled.values);

  const std::vector<std::size_t> some = {1099, 5, 700};
  const TokenPanels few = pack_panels(three, x, some, Precision::f32);
  Matrix y(some.size(), w.rows);
  multiply(three, w.tile(), few, store_rows(few, y));
  for (std::size_t i = 0; i < some.size(); ++i) {
    EXPECT_TRUE(std::ranges::equal(y.row(i), whole.row(some[i])));
  }
}

TEST(MatrixProduct, AddRowsAddsWhatStoreRowsStores) {
  ThreadPool threads(1);
  const StoredMatrix w(50, 20, 5);
  const Matrix x = random_matrix(3, 20, 6);
  const TokenPanels panels = pack_panels(threads, x, Precision::f32);
  Matrix stored(3, 50), added(3, 50);
  std::ranges::fill(added.values, 1.0f);
  multiply(threads, w.tile(), panels, store_rows(panels, stored));
  multiply(threads, w.tile(), panels, add_rows(panels, added));
  for (std::size_t i = 0; i < stored.values.size(); ++i) EXPECT_EQ(added.values[i], 1.0f + stored.values[i]);
}

/// Feature f of a token, whatever the format.
float feature(const TokenPanels& panels, std::size_t token, std::size_t f) {
  const std::size_t p = token / panel_lanes, lane = token % panel_lanes;
  if (!panels.paired()) return panels.float_panel(p, f)[lane];
  const Bfloat16 stored = panels.pair_panel(p, f / 2 * 2)[2 * lane + f % 2];
  return std::bit_cast<float>(static_cast<std::uint32_t>(stored) << 16);
}

// Below and above the size from which memory is asked for in large pages.
TEST(Matrix, LiesOnACacheLineAndIsZeroWhereAskedFor) {
  for (std::size_t rows : {1u, 1000u, 3001u}) {
    const Matrix matrix = Matrix::zero(rows, 1001);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(matrix.values.data()) % 64, 0u);
    EXPECT_TRUE(std::ranges::all_of(matrix.values, [](float value) { return value == 0.0f; }));
    EXPECT_EQ(matrix.values.size(), rows * 1001);
  }
  EXPECT_TRUE(Matrix(0, 5).values.empty());
}

TEST(PackPanels, RoundsOnlyInBf16) {
  ThreadPool threads(1);
  const Matrix x = random_matrix(21, 301, 7);  // more features than are transposed at a time, and odd
  const TokenPanels exact = pack_panels(threads, x, Precision::f32),
                    rounded = pack_panels(threads, x, Precision::bf16);
  EXPECT_EQ(rounded.paired(), has_native_bfloat16());
  for (std::size_t t = 0; t < x.rows; ++t) {
    for (std::size_t f = 0; f < x.columns; ++f) {
      EXPECT_EQ(feature(exact, t, f), x.row(t)[f]);
      EXPECT_EQ(feature(rounded, t, f), round_to_bfloat16(x.row(t)[f]));
    }
  }
}

// Odd widths and partly filled panels, too; on processors with AVX512_BF16 the two take different kernels.
TEST(MatrixProduct, Bf16IsTheProductOfRoundedActivationsByteForByte) {
  ThreadPool threads(2);
  for (std::size_t columns : {1u, 2u, 255u, 301u, 1024u}) {
    for (std::size_t tokens : {1u, 8u, 9u, 16u, 24u, 25u, 40u, 1050u}) {
      const StoredMatrix w(61, columns, 8);
      Matrix x = random_matrix(tokens, columns, 9), rounded = x;
      for (float& value : rounded.values) value = round_to_bfloat16(value);
      const TokenPanels a = pack_panels(threads, x, Precision::bf16),
                        b = pack_panels(threads, rounded, Precision::f32);
      Matrix y(tokens, 61), expected(tokens, 61);
      multiply(threads, w.tile(), a, store_rows(a, y));
      multiply(threads, w.tile(), b, store_rows(b, expected));
      EXPECT_EQ(y.values, expected.values) << tokens << " tokens, " << columns << " columns";
    }
  }
}

TEST(MatrixProduct, TheTypeInWhichAValueIsStoredChangesNothing) {
  ThreadPool threads(1);
  const StoredMatrix w(50, 131, 10);
  WeightTile wide = w.tile();
  wide.dtype = DType::f32;
  wide.bytes = std::as_bytes(std::span(w.values));
  for (Precision precision : {Precision::f32, Precision::bf16}) {
    const Matrix x = random_matrix(19, 131, 11);
    const TokenPanels panels = pack_panels(threads, x, precision);
    Matrix narrow_product(19, 50), wide_product(19, 50);
    multiply(threads, w.tile(), panels, store_rows(panels, narrow_product));
    multiply(threads, wide, panels, store_rows(panels, wide_product));
    EXPECT_EQ(narrow_product.values, wide_product.values);
  }
}

}  // namespace
}  // namespace moescope
