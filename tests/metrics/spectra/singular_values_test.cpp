#include "metrics/spectra/singular_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "tests/support/random_values.h"

namespace moescope {
namespace {

using testing::Each;
using testing::IsEmpty;

std::vector<float> transposed(const std::vector<float>& values, std::size_t rows, std::size_t columns) {
  std::vector<float> result(values.size());
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      result[column * rows + row] = values[row * columns + column];
    }
  }
  return result;
}

/// Sylvester's Hadamard matrix, whose rows and columns are orthogonal and of length sqrt(size), times the
/// diagonal: its singular values are sqrt(size) |diagonal_i| exactly, and no float in it is rounded.
std::vector<float> hadamard_times(const std::vector<float>& diagonal) {
  const std::size_t size = diagonal.size();  // a power of two
  std::vector<float> values(size * size);
  for (std::size_t row = 0; row < size; ++row) {
    for (std::size_t column = 0; column < size; ++column) {
      const bool negative = std::popcount(row & column) % 2 == 1;
      values[row * size + column] = negative ? -diagonal[column] : diagonal[column];
    }
  }
  return values;
}

/// From 1 down to about 1e-9, evenly in the logarithm.
std::vector<float> wide_diagonal(std::size_t size) {
  std::vector<float> diagonal(size);
  for (std::size_t i = 0; i < size; ++i) {
    diagonal[i] = static_cast<float>(std::pow(10, -9.0 * static_cast<double>(i) / static_cast<double>(size)));
  }
  return diagonal;
}

double sum_of_squares(const std::vector<double>& values) {
  return std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
}

void expect_close(const std::vector<double>& found, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance) << i;
}

TEST(SingularValues, MatchAnExampleByHand) {
  // Aᵀ A = (25 20; 20 25) has the eigenvalues 45 and 5.
  const std::vector<double> sigma = singular_values({std::vector<float>{3, 0, 4, 5}, 2, 2});
  expect_close(sigma, {std::sqrt(45), std::sqrt(5)}, 1e-14);
  // The eigenvalues of the Gram matrix by rows are the same.
  EXPECT_EQ(gram_matrix({std::vector<float>{3, 0, 4, 5}, 2, 2}), (std::vector<double>{9, 12, 0, 41}));
  expect_close(singular_values_of_gram({9, 12, 0, 41}, 2), sigma, 1e-14);
}

TEST(SingularValues, OfOneRowOrColumnIsItsLength) {
  const std::vector<float> values = {3, 4, 12};
  expect_close(singular_values({values, 1, 3}), {13}, 1e-14);
  expect_close(singular_values({values, 3, 1}), {13}, 1e-14);
  expect_close(singular_values_of_gram({169}, 1), {13}, 1e-14);
}

TEST(SingularValues, AreNoneOfAnEmptyMatrix) {
  EXPECT_THAT(singular_values({{}, 0, 0}), IsEmpty());
  EXPECT_THAT(singular_values({{}, 0, 7}), IsEmpty());
  EXPECT_THAT(singular_values({{}, 7, 0}), IsEmpty());
}

TEST(SingularValues, OfAZeroMatrixAreZero) {
  for (const std::size_t size : {3ul, direct_decomposition_limit + 1}) {
    const std::vector<double> sigma =
        singular_values({std::vector<float>(size * (size + 2)), size, size + 2});
    EXPECT_EQ(sigma, std::vector<double>(size, 0.0));
  }
}

TEST(SingularValues, AreUnknownBesideANonFiniteElement) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const std::size_t size : {3ul, direct_decomposition_limit + 1}) {
      std::vector<float> values(size * size, 1);
      values[size + 1] = bad;
      const std::vector<double> sigma = singular_values({values, size, size});
      EXPECT_EQ(sigma.size(), size);
      EXPECT_THAT(sigma, Each(testing::IsNan()));
    }
  }
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THAT(singular_values_of_gram({1, 0, 0, infinity}, 2), Each(testing::IsNan()));
}

TEST(SingularValues, OfOneElementIsItsMagnitude) {
  for (const std::size_t rows : {5ul, direct_decomposition_limit + 3}) {
    std::vector<float> values(rows * (rows + 1));
    values[rows + 7] = -2.5f;
    std::vector<double> expected(rows, 0.0);
    expected[0] = 2.5;
    expect_close(singular_values({values, rows, rows + 1}), expected, 1e-15);
  }
}

TEST(SingularValues, OfAnOrthogonalMatrixAreEqual) {
  for (const std::size_t size : {16ul, 512ul}) {  // both routes
    const std::vector<double> sigma =
        singular_values({hadamard_times(std::vector<float>(size, 0.5f)), size, size});
    expect_close(sigma, std::vector<double>(size, 0.5 * std::sqrt(static_cast<double>(size))), 1e-12);
  }
}

TEST(SingularValues, OfAnOuterProductAreOneOfTheProductOfLengths) {
  const std::size_t rows = 300, columns = 400;
  std::vector<float> values(rows * columns);
  double left = 0, right = 0;  // squared lengths of (1, 2, 3, 1 …) and (1, 2, 3, 4, 5, 1 …): small integers
  for (std::size_t i = 0; i < rows; ++i) left += static_cast<double>((i % 3 + 1) * (i % 3 + 1));
  for (std::size_t j = 0; j < columns; ++j) right += static_cast<double>((j % 5 + 1) * (j % 5 + 1));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>((i / columns % 3 + 1) * (i % columns % 5 + 1));
  }
  const std::vector<double> sigma = singular_values({values, rows, columns});
  EXPECT_NEAR(sigma[0] / std::sqrt(left * right), 1, 1e-14);
  EXPECT_LT(sigma[1], 1e-7 * sigma[0]);  // rounding of the Gram matrix, as documented
}

TEST(SingularValues, OfASmallMatrixAreRightDownToTheRoundingOfTheLargest) {
  const std::vector<float> diagonal = wide_diagonal(128);
  const std::vector<double> sigma = singular_values({hadamard_times(diagonal), 128, 128});
  for (std::size_t i = 0; i < sigma.size(); ++i) {
    EXPECT_NEAR(sigma[i] / sigma[0], diagonal[i] / diagonal[0], 2e-15) << i;
  }
}

TEST(SingularValues, OfALargeMatrixAreRightToTheRoundingOfTheSquares) {
  const std::vector<float> diagonal = wide_diagonal(512);
  const std::vector<double> sigma = singular_values({hadamard_times(diagonal), 512, 512});
  const double norm = std::sqrt(512.0);
  // 512 · 1e-16 at worst, and relative to the square itself as far as 1e-3 sigma_1, as documented.
  for (std::size_t i = 0; i < sigma.size(); ++i) {
    const double expected = norm * static_cast<double>(diagonal[i]);
    EXPECT_NEAR(sigma[i] * sigma[i] / 512, expected * expected / 512, 5e-14) << i;
    if (diagonal[i] > 1e-3f) {
      EXPECT_NEAR(sigma[i] / expected, 1, 1e-9) << i;
    }
  }
}

TEST(SingularValues, OfBothRoutesAgree) {
  for (const std::size_t rows : {60ul, 200ul}) {
    const std::vector<float> values = normal_values<float>(rows * 150, 3);
    const WeightMatrix matrix{values, rows, 150};
    const std::vector<double> gram = gram_matrix(matrix);
    expect_close(singular_values_of_gram(gram, std::min<std::size_t>(rows, 150)), singular_values(matrix),
                 1e-12);
  }
}

TEST(ColumnGram, OfPiecesIsThatOfTheWhole) {
  constexpr std::size_t rows = 700, columns = 40;
  const std::vector<float> values = normal_values<float>(rows * columns, 5);
  std::vector<double> pieces(columns * columns);
  for (const auto& [first, count] :
       {std::pair(0ul, 300ul), std::pair(300ul, 30ul), std::pair(330ul, 370ul)}) {
    add_column_gram({std::span(values).subspan(first * columns, count * columns), count, columns}, pieces);
  }
  const std::vector<double> whole = gram_matrix({values, rows, columns});
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(pieces[i], whole[i], 1e-11) << i;
}

TEST(SingularValues, ScaleWithTheMatrixAndIgnoreTranspositionAndPermutation) {
  for (const std::size_t rows : {40ul, 300ul}) {  // both routes
    const std::size_t columns = rows + 270;       // no multiple of a panel
    const std::vector<float> values = normal_values<float>(rows * columns, 5);
    const std::vector<double> sigma = singular_values({values, rows, columns});
    expect_close(singular_values({transposed(values, rows, columns), columns, rows}), sigma, 1e-11);

    std::vector<float> changed(values.size());  // rows reversed, columns rotated, all times -4
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t row = rows - 1 - i / columns, column = (i % columns + 7) % columns;
      changed[row * columns + column] = -4 * values[i];
    }
    std::vector<double> scaled = sigma;
    for (double& value : scaled) value *= 4;
    expect_close(singular_values({changed, rows, columns}), scaled, 1e-11);
  }
}

TEST(SingularValues, AreDescendingAndHoldTheNorm) {
  for (const std::size_t rows : {100ul, 280ul}) {
    const std::vector<float> values = normal_values<float>(rows * 600, 8);
    const std::vector<double> sigma = singular_values({values, rows, 600});
    EXPECT_TRUE(std::is_sorted(sigma.rbegin(), sigma.rend()));
    double squares = 0;
    for (const float value : values) squares += static_cast<double>(value) * static_cast<double>(value);
    EXPECT_NEAR(sum_of_squares(sigma) / squares, 1, 1e-13);
  }
}

TEST(SingularValues, OfGaussianNoiseReachTheSumOfTheRootsOfTheSides) {
  // Spectral norm sqrt(m) + sqrt(n) (Marchenko and Pastur, 1967), to some widths 0.5 cbrt(1/sqrt(m) +
  // 1/sqrt(n)).
  const std::vector<double> sigma = singular_values({normal_values<float>(300 * 1200, 11), 300, 1200});
  EXPECT_NEAR(sigma.front(), std::sqrt(1200) + std::sqrt(300), 1);
  EXPECT_NEAR(sigma.back(), std::sqrt(1200) - std::sqrt(300), 1);
}

TEST(SingularValues, OfTheLargestAndSmallestFloatsDoNotOverflow) {
  for (const float scale : {std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min()}) {
    for (const std::size_t size : {16ul, 512ul}) {
      const std::vector<double> sigma =
          singular_values({hadamard_times(std::vector<float>(size, scale)), size, size});
      const double expected = std::sqrt(static_cast<double>(size)) * static_cast<double>(scale);
      EXPECT_NEAR(sigma.front() / expected, 1, 1e-13);
      EXPECT_NEAR(sigma.back() / expected, 1, 1e-13);
    }
  }
}

}  // namespace
}  // namespace moescope
