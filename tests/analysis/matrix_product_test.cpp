#include "analysis/matrix_product.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "analysis/element_convert.h"
#include "analysis/parallel.h"
#include "tests/analysis/random_values.h"

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

TEST(PackPanels, RoundsOnlyInBf16) {
  ThreadPool threads(1);
  const Matrix x = random_matrix(5, 7, 7);
  const TokenPanels exact = pack_panels(threads, x, Precision::f32),
                    rounded = pack_panels(threads, x, Precision::bf16);
  for (std::size_t t = 0; t < 5; ++t) {
    for (std::size_t f = 0; f < 7; ++f) {
      EXPECT_EQ(exact.panel(0)[f * panel_lanes + t], x.row(t)[f]);
      EXPECT_EQ(rounded.panel(0)[f * panel_lanes + t], round_to_bfloat16(x.row(t)[f]));
    }
  }
}

}  // namespace
}  // namespace moescope
