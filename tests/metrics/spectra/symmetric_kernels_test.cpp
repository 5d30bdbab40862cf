#include "metrics/spectra/symmetric_kernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "metrics/spectra/singular_values.h"
#include "metrics/spectra/subspace_overlap.h"
#include "tests/support/instruction_set_fixture.h"
#include "tests/support/random_values.h"

namespace moescope {
namespace {

using testing::Each;
using testing::IsNan;

constexpr double untouched = -0.25;

/// Small integers, whose products and sums are exact in any order.
template <class Element>
std::vector<Element> integers(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<Element> values(count);
  for (Element& value : values) value = static_cast<Element>(static_cast<int>(generator() % 17) - 8);
  return values;
}

template <class Element>
double element(const StridedMatrix<Element>& matrix, std::size_t i, std::size_t k) {
  return matrix.values[i * matrix.row_stride + k * matrix.column_stride];
}

/// sum_k a_ik b_jk
template <class Element>
double row_product(const StridedMatrix<Element>& a, std::size_t i, const StridedMatrix<Element>& b,
                   std::size_t j) {
  double sum = 0;
  for (std::size_t k = 0; k < a.columns; ++k) sum += element(a, i, k) * element(b, j, k);
  return sum;
}

class SymmetricKernelsTest : public InstructionSetTest {};

void expect_row_products(const StridedMatrix<float>& x) {
  SCOPED_TRACE(testing::Message() << x.rows << " x " << x.columns << ", strides " << x.row_stride << ", "
                                  << x.column_stride);
  std::vector<double> gram(x.rows * x.rows, untouched);
  add_row_products(x, gram.data());
  for (std::size_t j = 0; j < x.rows; ++j) {
    for (std::size_t i = 0; i < x.rows; ++i)
      ASSERT_EQ(gram[j * x.rows + i], untouched + (i >= j ? row_product(x, i, x, j) : 0)) << i << " " << j;
  }
}

TEST_P(SymmetricKernelsTest, RowProductsAreAddedToTheLowerTriangleAlone) {
  for (const std::size_t rows : {1ul, 2ul, 4ul, 7ul, 24ul, 25ul, 96ul, 131ul}) {
    for (const std::size_t columns : {1ul, 3ul, 256ul, 515ul}) {
      const std::vector<float> values = integers<float>(rows * columns, 1);
      expect_row_products({values.data(), rows, columns, columns, 1});
      expect_row_products({values.data(), rows, columns, 1, rows});
    }
  }
}

TEST_P(SymmetricKernelsTest, ProductsWithTheTransposedAreSubtractedFromTheLowerTriangleAlone) {
  for (const std::size_t rows : {1ul, 5ul, 24ul, 99ul}) {
    for (const std::size_t columns : {1ul, 32ul}) {
      const std::size_t stride = rows + 3;
      const std::vector<double> left = integers<double>(stride * columns, 2),
                                right = integers<double>(stride * columns, 3);
      const StridedMatrix<double> v{left.data(), rows, columns, 1, stride};
      const StridedMatrix<double> w{right.data(), rows, columns, 1, stride};
      std::vector<double> matrix(stride * rows, untouched);
      subtract_symmetric_products(v, w, matrix.data(), stride);
      for (std::size_t j = 0; j < rows; ++j) {
        for (std::size_t i = 0; i < stride; ++i) {
          const double change = i >= j && i < rows ? row_product(v, i, w, j) + row_product(w, i, v, j) : 0;
          ASSERT_EQ(matrix[j * stride + i], untouched - change) << i << " " << j;
        }
      }
    }
  }
}

TEST_P(SymmetricKernelsTest, AProductWithAVectorReadsTheLowerTriangleAlone) {
  for (const std::size_t size : {1ul, 2ul, 3ul, 4ul, 5ul, 19ul, 64ul, 77ul}) {
    const std::size_t stride = size + 5;
    std::vector<double> matrix = integers<double>(stride * size, 4);
    for (std::size_t j = 0; j < size; ++j) {
      for (std::size_t i = 0; i < stride; ++i) {
        if (i < j || i >= size) matrix[j * stride + i] = std::numeric_limits<double>::quiet_NaN();
      }
    }
    const std::vector<double> x = integers<double>(size, 5);
    std::vector<double> y(size + 1, untouched);
    multiply_symmetric(matrix.data(), size, stride, x.data(), y.data());
    for (std::size_t i = 0; i < size; ++i) {
      double expected = 0;
      for (std::size_t j = 0; j < size; ++j)
        expected += matrix[std::min(i, j) * stride + std::max(i, j)] * x[j];
      ASSERT_EQ(y[i], expected) << size << " " << i;
    }
    EXPECT_EQ(y[size], untouched);
  }
}

TEST_P(SymmetricKernelsTest, EigenvaluesOfAPathAreCosines) {
  // Of the matrix with 1/2 beside the diagonal and 0 on it: cos(k pi / (n + 1)), k = 1 … n.
  for (const std::size_t size : {1ul, 2ul, 3ul, 33ul, 200ul}) {
    const TridiagonalMatrix path{std::vector<double>(size, 0.0), std::vector<double>(size - 1, 0.25)};
    for (const std::size_t count : {size, (size + 1) / 2}) {
      const std::vector<double> found = bisect_eigenvalues(path, -3, 3, count);
      ASSERT_EQ(found.size(), count);
      for (std::size_t k = 0; k < count; ++k) {
        const double angle = std::numbers::pi * static_cast<double>(k + 1) / static_cast<double>(size + 1);
        EXPECT_NEAR(found[k], std::cos(angle), 5e-16) << size << " " << k;
        if (2 * (k + 1) == size + 1) {
          EXPECT_EQ(found[k], 0.0);
        }
      }
    }
  }
}

TEST_P(SymmetricKernelsTest, EigenvaluesOfADiagonalMatrixAreItsElements) {
  const TridiagonalMatrix matrix{{0.25, -1, 1, 0.25, 0, 0.125}, std::vector<double>(5, 0.0)};
  const std::vector<double> expected = {1, 0.25, 0.25, 0.125, 0, -1};
  EXPECT_THAT(bisect_eigenvalues(matrix, -3, 3, 6), testing::Pointwise(testing::DoubleNear(1e-16), expected));
}

/// Sylvester's Hadamard matrix, whose columns are orthogonal and of length sqrt(size), times a diagonal from
/// 1 down to about 1e-9. The columns `from` … are 0.
std::vector<float> graded(std::size_t size, std::size_t from, std::vector<double>& sigma) {
  std::vector<float> values(size * size);
  sigma.assign(size, 0);
  for (std::size_t column = 0; column < from; ++column) {
    const auto factor =
        static_cast<float>(std::pow(10, -9.0 * static_cast<double>(column) / static_cast<double>(size)));
    sigma[column] = std::sqrt(static_cast<double>(size)) * static_cast<double>(factor);
    for (std::size_t row = 0; row < size; ++row)
      values[row * size + column] = std::popcount(row & column) % 2 == 1 ? -factor : factor;
  }
  return values;
}

TEST_P(SymmetricKernelsTest, GradedSingularValuesAreAsAccurateAsDocumented) {
  for (const std::size_t size : {128ul, 512ul}) {  // both routes
    for (const std::size_t rank : {size, size / 2}) {
      std::vector<double> expected;
      const std::vector<float> values = graded(size, rank, expected);
      const std::vector<double> sigma = singular_values({values, size, size});
      ASSERT_EQ(sigma.size(), size);
      for (std::size_t i = 0; i < size; ++i) {
        if (size <= direct_decomposition_limit) {
          EXPECT_NEAR(sigma[i] / sigma[0], expected[i] / expected[0], 2e-15) << size << " " << i;
        } else {
          EXPECT_NEAR(sigma[i] * sigma[i] / 512, expected[i] * expected[i] / 512, 5e-14) << size << " " << i;
        }
      }
    }
  }
}

TEST_P(SymmetricKernelsTest, VectorsAndValuesBelongTogether) {
  // |uᵀ A v| = sigma, over several blocks of the reduction and a rest.
  for (const auto& [rows, columns] : {std::pair(101ul, 270ul), std::pair(270ul, 101ul)}) {
    constexpr std::size_t count = 6;
    const std::vector<float> values = normal_values<float>(rows * columns, 1);
    const LeadingSubspace left = leading_subspace({values, rows, columns}, SingularSide::left, count);
    const LeadingSubspace right = leading_subspace({values, rows, columns}, SingularSide::right, count);
    const std::vector<double> sigma = singular_values({values, rows, columns});
    ASSERT_EQ(left.count, count);
    for (std::size_t r = 0; r < count; ++r) {
      double product = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < columns; ++j)
          product += left.vectors[r * rows + i] * values[i * columns + j] * right.vectors[r * columns + j];
      }
      EXPECT_NEAR(std::abs(product), sigma[r], 1e-12 * sigma[0]);
    }
    for (std::size_t i = 0; i < sigma.size(); ++i)
      EXPECT_NEAR(left.singular_values[i], sigma[i], 1e-12 * sigma[0]) << i;
  }
}

TEST_P(SymmetricKernelsTest, ANonFiniteElementMakesAllSingularValuesUnknown) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (const std::size_t size : {30ul, direct_decomposition_limit + 30}) {
      for (const auto& [rows, columns] : {std::pair(size, size + 9), std::pair(size + 9, size)}) {
        std::vector<float> values = normal_values<float>(rows * columns, 2);
        values[values.size() - 2] = bad;
        EXPECT_THAT(singular_values({values, rows, columns}), Each(IsNan()));
        const LeadingSubspace subspace = leading_subspace({values, rows, columns}, SingularSide::left, 3);
        EXPECT_THAT(subspace.singular_values, Each(IsNan()));
        EXPECT_EQ(subspace.count, 0u);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, SymmetricKernelsTest, testing::ValuesIn(instruction_sets()),
                         instruction_set_name);

}  // namespace
}  // namespace moescope
