#include "analysis/kernels/inner_products.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "tests/support/random_values.h"

namespace moescope {
namespace {

std::vector<double> random_block(std::size_t rows, std::size_t length, unsigned seed) {
  const std::vector<float> values = normal_values<float>(rows * length, seed);
  return {values.begin(), values.end()};
}

long double naive_product(const std::vector<double>& block, std::size_t length, std::size_t i,
                          std::size_t j) {
  long double sum = 0;
  for (std::size_t k = 0; k < length; ++k)
    sum += static_cast<long double>(block[i * length + k]) * block[j * length + k];
  return sum;
}

TEST(InnerProductSum, AgreesWithExtendedPrecisionForAnyNumberOfRows) {
  for (const std::size_t rows : {1u, 2u, 3u, 4u, 5u, 8u, 13u}) {
    const std::vector<double> block = random_block(rows, 1024, static_cast<unsigned>(rows));
    InnerProductSum sum(rows);
    sum.add(block, 1024);
    const std::vector<double> matrix = sum.matrix();
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < rows; ++j) {
        EXPECT_NEAR(matrix[i * rows + j], static_cast<double>(naive_product(block, 1024, i, j)), 1e-11);
        EXPECT_EQ(matrix[i * rows + j], matrix[j * rows + i]);
      }
    }
  }
}

TEST(InnerProductSum, OneCheckpointHasNoDifferences) {
  InnerProductSum none(0);
  none.add({}, 8);
  EXPECT_THAT(none.matrix(), testing::IsEmpty());
}

TEST(InnerProductSum, RowsMayBeginAnywhereInMemory) {
  std::vector<double> padded = random_block(3, 16, 1);
  padded.insert(padded.begin(), 0);
  InnerProductSum shifted(3), plain(3);
  shifted.add(std::span(padded).subspan(1), 16);
  plain.add(random_block(3, 16, 1), 16);
  EXPECT_EQ(shifted.matrix(), plain.matrix());
}

TEST(InnerProductSum, SumsOfPartsAddUp) {
  const std::vector<double> a = random_block(2, 8, 2), b = random_block(2, 8, 3);
  InnerProductSum whole(2), first(2), second(2);
  whole.add(a, 8);
  whole.add(b, 8);
  first.add(a, 8);
  second.add(b, 8);
  first.add(second);
  EXPECT_THAT(first.matrix(), testing::Pointwise(testing::DoubleEq(), whole.matrix()));
}

TEST(InnerProductSum, ANonFiniteElementSpoilsItsOwnRowAlone) {
  std::vector<double> block = random_block(3, 8, 4);
  block[8] = std::numeric_limits<double>::quiet_NaN();  // row 1
  InnerProductSum sum(3);
  sum.add(block, 8);
  const std::vector<double> matrix = sum.matrix();
  EXPECT_THAT(matrix[1], testing::IsNan());
  EXPECT_THAT(matrix[4], testing::IsNan());
  EXPECT_EQ(matrix[2], matrix[6]);
  EXPECT_NEAR(matrix[8], static_cast<double>(naive_product(block, 8, 2, 2)), 1e-14);
}

}  // namespace
}  // namespace moescope
