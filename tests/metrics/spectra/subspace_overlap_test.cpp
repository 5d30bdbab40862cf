#include "metrics/spectra/subspace_overlap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/random_values.h"

namespace moescope {
namespace {

using testing::Each;
using testing::IsEmpty;
using testing::IsNan;

/// Zero but for the diagonal.
std::vector<float> diagonal_matrix(const std::vector<float>& diagonal, std::size_t rows,
                                   std::size_t columns) {
  std::vector<float> values(rows * columns);
  for (std::size_t i = 0; i < diagonal.size(); ++i) values[i * columns + i] = diagonal[i];
  return values;
}

double dot(const LeadingSubspace& subspace, std::size_t i, std::size_t j) {
  const std::size_t length = subspace.vectors.size() / subspace.count;
  double sum = 0;
  for (std::size_t k = 0; k < length; ++k) {
    sum += subspace.vectors[i * length + k] * subspace.vectors[j * length + k];
  }
  return sum;
}

void expect_orthonormal(const LeadingSubspace& subspace) {
  for (std::size_t i = 0; i < subspace.count; ++i) {
    for (std::size_t j = 0; j <= i; ++j) EXPECT_NEAR(dot(subspace, i, j), i == j, 1e-13) << i << " " << j;
  }
}

TEST(LeadingSubspace, OfADiagonalMatrixAreItsAxes) {
  for (const auto& [rows, columns] : {std::pair(4ul, 6ul), std::pair(6ul, 4ul)}) {
    const std::vector<float> values = diagonal_matrix({1, 5, 0.5f, 3}, rows, columns);
    for (const SingularSide side : {SingularSide::left, SingularSide::right}) {
      const LeadingSubspace subspace = leading_subspace({values, rows, columns}, side, 2);
      const std::size_t length = side == SingularSide::left ? rows : columns;
      ASSERT_EQ(subspace.vectors.size(), 2 * length);
      EXPECT_NEAR(std::abs(subspace.vectors[1]), 1, 1e-14);           // of 5
      EXPECT_NEAR(std::abs(subspace.vectors[length + 3]), 1, 1e-14);  // of 3
      expect_orthonormal(subspace);
    }
  }
}

TEST(LeadingSubspace, HoldsSingularVectors) {
  // A v = sigma u for the two sides, with one sign for both: |uᵀ A v| = sigma.
  for (const auto& [rows, columns] : {std::pair(70ul, 310ul), std::pair(310ul, 70ul)}) {
    const std::vector<float> values = normal_values<float>(rows * columns, 1);
    const LeadingSubspace left = leading_subspace({values, rows, columns}, SingularSide::left, 20);
    const LeadingSubspace right = leading_subspace({values, rows, columns}, SingularSide::right, 20);
    expect_orthonormal(left);
    expect_orthonormal(right);
    const std::vector<double> sigma = singular_values({values, rows, columns});
    for (std::size_t r = 0; r < 20; ++r) {
      EXPECT_NEAR(left.singular_values[r], sigma[r], 1e-11);
      double product = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < columns; ++j) {
          product += left.vectors[r * rows + i] * values[i * columns + j] * right.vectors[r * columns + j];
        }
      }
      EXPECT_NEAR(std::abs(product), sigma[r], 1e-11);
    }
  }
}

TEST(LeadingSubspace, IsOrthonormalWhereSingularValuesAreEqual) {
  const std::vector<float> identity = diagonal_matrix(std::vector<float>(40, 1), 40, 40);
  for (const std::size_t count : {1ul, 7ul, 40ul}) {
    const LeadingSubspace subspace = leading_subspace({identity, 40, 40}, SingularSide::right, count);
    ASSERT_EQ(subspace.count, count);
    expect_orthonormal(subspace);
  }
}

TEST(LeadingSubspace, OfTwoEqualPairsSpansBoth) {
  const std::vector<float> values = diagonal_matrix({1, 2, 1, 3, 2, 3, 1, 1}, 8, 9);
  const LeadingSubspace found = leading_subspace({values, 8, 9}, SingularSide::left, 4);
  const std::vector<float> axes = diagonal_matrix({0, 2, 0, 3, 2, 3, 0, 0}, 8, 9);
  const LeadingSubspace expected = leading_subspace({axes, 8, 9}, SingularSide::left, 4);
  EXPECT_NEAR(subspace_overlap(found, expected), 1, 1e-13);
}

TEST(LeadingSubspace, OfADenseMatrixWithEqualSingularValuesSpansThem) {
  // Columns of a Hadamard matrix (orthogonal, of equal length), four times each of sixteen lengths.
  const std::size_t size = 64, count = 12;
  std::vector<float> equal(size * size), distinct(size * size);
  for (std::size_t i = 0; i < size * size; ++i) {
    const std::size_t row = i / size, column = i % size;
    const float sign = std::popcount(row & column) % 2 == 1 ? -1 : 1;
    equal[i] = sign * static_cast<float>(16 - column / 4);
    distinct[i] = column < count ? sign * static_cast<float>(size - column) : 0;
  }
  const LeadingSubspace found = leading_subspace({equal, size, size}, SingularSide::left, count);
  const LeadingSubspace expected = leading_subspace({distinct, size, size}, SingularSide::left, count);
  expect_orthonormal(found);
  EXPECT_NEAR(subspace_overlap(found, expected), 1, 1e-13);
}

TEST(LeadingSubspace, OfOneRowIsItsDirection) {
  const std::vector<float> values = {3, 0, -4};
  const LeadingSubspace right = leading_subspace({values, 1, 3}, SingularSide::right, 1);
  ASSERT_EQ(right.vectors.size(), 3u);
  EXPECT_NEAR(std::abs(right.vectors[0]), 0.6, 1e-15);
  EXPECT_NEAR(right.vectors[0] * right.vectors[2], -0.48, 1e-15);
  const LeadingSubspace left = leading_subspace({values, 1, 3}, SingularSide::left, 1);
  ASSERT_EQ(left.vectors.size(), 1u);
  EXPECT_EQ(std::abs(left.vectors[0]), 1);
}

TEST(LeadingSubspace, IsNoneWhereItIsNotDetermined) {
  const std::vector<float> rank_two = diagonal_matrix({2, 1}, 5, 5);
  EXPECT_EQ(leading_subspace({rank_two, 5, 5}, SingularSide::left, 2).count, 2u);
  EXPECT_EQ(leading_subspace({rank_two, 5, 5}, SingularSide::left, 3).count, 0u);
  EXPECT_EQ(leading_subspace({rank_two, 5, 5}, SingularSide::left, 6).count, 0u);
  EXPECT_EQ(leading_subspace({rank_two, 5, 5}, SingularSide::left, 0).count, 0u);
  const std::vector<float> zero(25);
  EXPECT_EQ(leading_subspace({zero, 5, 5}, SingularSide::left, 1).count, 0u);
  EXPECT_THAT(leading_subspace({{}, 0, 5}, SingularSide::left, 1).singular_values, IsEmpty());
}

TEST(LeadingSubspace, IsNoneBesideANonFiniteElement) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> values = normal_values<float>(12, 2);
    values[5] = bad;
    const LeadingSubspace subspace = leading_subspace({values, 3, 4}, SingularSide::right, 1);
    EXPECT_EQ(subspace.count, 0u);
    EXPECT_EQ(subspace.singular_values.size(), 3u);
    EXPECT_THAT(subspace.singular_values, Each(IsNan()));
  }
}

TEST(LeadingSubspace, OfAGramMatrixIsThatOfTheShortSide) {
  const std::vector<float> values = normal_values<float>(310 * 70, 3);
  const WeightMatrix matrix{values, 310, 70};
  const LeadingSubspace direct = leading_subspace(matrix, SingularSide::right, 4);
  const LeadingSubspace of_gram = leading_subspace_of_gram(gram_matrix(matrix), 70, 4);
  EXPECT_EQ(of_gram.singular_values, direct.singular_values);
  EXPECT_EQ(of_gram.vectors, direct.vectors);
  const std::vector<double> broken = {1, 0, 0, std::numeric_limits<double>::infinity()};
  EXPECT_THAT(leading_subspace_of_gram(broken, 2, 1).singular_values, Each(IsNan()));
  EXPECT_EQ(leading_subspace_of_gram(broken, 2, 1).count, 0u);
}

TEST(SubspaceOverlap, OfAMatrixWithItselfIsOneAtEveryScaleAndSign) {
  std::vector<float> values = normal_values<float>(90 * 40, 3);
  const LeadingSubspace before = leading_subspace({values, 90, 40}, SingularSide::left, 8);
  for (float& value : values) value *= -4;
  const LeadingSubspace after = leading_subspace({values, 90, 40}, SingularSide::left, 8);
  EXPECT_NEAR(subspace_overlap(before, after), 1, 1e-12);
  EXPECT_LE(subspace_overlap(before, before), 1);
}

TEST(SubspaceOverlap, OfOrthogonalSubspacesIsZeroAndOfHalfSharedOnesAHalf) {
  const auto axes = [](const std::vector<float>& diagonal) {
    return leading_subspace({diagonal_matrix(diagonal, 6, 6), 6, 6}, SingularSide::left, 2);
  };
  EXPECT_NEAR(subspace_overlap(axes({9, 8, 1, 1, 0, 0}), axes({1, 1, 9, 8, 0, 0})), 0, 1e-14);
  EXPECT_NEAR(subspace_overlap(axes({9, 8, 1, 1, 0, 0}), axes({1, 9, 8, 1, 0, 0})), 0.5, 1e-14);
}

TEST(SubspaceOverlap, OfRotatedDirectionsIsTheSquaredCosine) {
  const std::vector<float> plain = {1, 0, 0, 0}, rotated = {0.6f, 0.8f, 0, 0};  // rank one, right vectors
  const double overlap = subspace_overlap(leading_subspace({plain, 2, 2}, SingularSide::right, 1),
                                          leading_subspace({rotated, 2, 2}, SingularSide::right, 1));
  EXPECT_NEAR(overlap, 0.36, 1e-7);  // 0.6f is rounded
}

TEST(SubspaceOverlap, OfRandomSubspacesIsTheChanceLevel) {
  const std::size_t rows = 30, columns = 60, count = 6;
  double left = 0, right = 0;
  constexpr unsigned pairs = 100;
  for (unsigned pair = 0; pair < pairs; ++pair) {
    const std::vector<float> a = normal_values<float>(rows * columns, 2 * pair),
                             b = normal_values<float>(rows * columns, 2 * pair + 1);
    left += subspace_overlap(leading_subspace({a, rows, columns}, SingularSide::left, count),
                             leading_subspace({b, rows, columns}, SingularSide::left, count));
    right += subspace_overlap(leading_subspace({a, rows, columns}, SingularSide::right, count),
                              leading_subspace({b, rows, columns}, SingularSide::right, count));
  }
  // Mean count / length; the standard deviation of one is about sqrt(2) (1 - r/n) / n, of the mean a tenth of
  // it.
  EXPECT_NEAR(left / pairs, 6.0 / 30, 5 * std::sqrt(2.0) * 0.8 / 30 / 10);
  EXPECT_NEAR(right / pairs, 6.0 / 60, 5 * std::sqrt(2.0) * 0.9 / 60 / 10);
}

TEST(SubspaceOverlap, IsUnknownWithoutVectorsOrOfDifferentCounts) {
  const std::vector<float> values = normal_values<float>(25, 6), zero(25);
  const LeadingSubspace two = leading_subspace({values, 5, 5}, SingularSide::left, 2);
  EXPECT_THAT(subspace_overlap(two, leading_subspace({zero, 5, 5}, SingularSide::left, 2)), IsNan());
  EXPECT_THAT(subspace_overlap(two, leading_subspace({values, 5, 5}, SingularSide::left, 3)), IsNan());
}

}  // namespace
}  // namespace moescope
