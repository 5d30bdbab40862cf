#include "analysis/weights/stored_rows.h"

#include <gtest/gtest.h>

#include <vector>

#include "readers/checkpoint/model_weights.h"
#include "tests/analysis/weights/large_experts.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

std::vector<float> whole_values(const Checkpoint& checkpoint, const Weight& weight) {
  std::vector<float> values(weight.size());
  read_weight(checkpoint, weight, values);
  return values;
}

/// Put together from pieces of so many rows.
std::vector<float> values_from_rows(const Checkpoint& checkpoint, const Weight& weight, std::uint64_t rows) {
  std::vector<float> values(weight.size());
  StoredRows stored(checkpoint, weight);
  for (std::uint64_t row = 0; row < weight.rows; row += rows) {
    const std::uint64_t count = std::min(rows, weight.rows - row);
    stored.read(row, std::span(values).subspan(row * weight.cols, count * weight.cols));
  }
  return values;
}

TEST(StoredRows, AreTheSameHoweverAMatrixIsStored) {
  for (const DType dtype : {DType::bf16, DType::f32}) {
    const TemporaryDirectory directory;
    write_large_experts(directory / "rows", 1, dtype, false);
    write_large_experts(directory / "columns", 1, dtype, true);
    const Checkpoint upright = Checkpoint::open(directory / "rows", upright_families()),
                     transposed = Checkpoint::open(directory / "columns");
    const ModelWeights expected(upright), found(transposed);
    std::size_t matrices = 0;
    for (std::size_t i = 0; i < expected.all().size(); ++i) {
      const Weight &a = expected.all()[i], &b = found.all()[i];
      EXPECT_FALSE(a.transposed);
      matrices += b.transposed;
      const std::vector<float> values = whole_values(upright, a);
      EXPECT_EQ(whole_values(transposed, b), values) << a.name;
      EXPECT_EQ(values_from_rows(transposed, b, 100), values) << a.name;
      EXPECT_EQ(values_from_rows(upright, a, 100), values) << a.name;
    }
    EXPECT_EQ(matrices, 8u);  // two of each expert in two layers
  }
}

}  // namespace
}  // namespace moescope
