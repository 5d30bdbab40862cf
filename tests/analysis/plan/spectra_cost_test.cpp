#include "analysis/plan/spectra_cost.h"

#include <gtest/gtest.h>

namespace moescope {
namespace {

Weight matrix(Role role, std::uint64_t rows, std::uint64_t columns) {
  Weight weight;
  weight.key = {role, 1};
  weight.rows = rows;
  weight.cols = columns;
  return weight;
}

// n = 1000, m = 2000: 1e9 for the Gram matrix and 4/3e9 for its eigenvalues; 3 checkpoints and 2 updates.
TEST(SpectraCost, OfALargeMatrixIsAGramMatrixForEachCheckpointAndUpdate) {
  const std::vector<Weight> weights = {matrix(Role::dense_up, 2000, 1000)};
  const SpectraCost cost = spectra_cost(weights, SpectraChoice::all, 3);
  EXPECT_EQ(cost.matrices, 1u);
  EXPECT_EQ(cost.bytes, 3u * 2 * 2000 * 1000);
  EXPECT_EQ(cost.decompositions, 5u);
  EXPECT_DOUBLE_EQ(cost.flops, 2 * 5 * (1e9 + 4.0 / 3 * 1e9));
}

// n = 100, m = 1000: 3e7 exactly, and 5e6 + 4/3e6 for the directions of each checkpoint.
TEST(SpectraCost, OfASmallMatrixHasTheDirectionsBeside) {
  const std::vector<Weight> weights = {matrix(Role::router, 100, 1000)};
  EXPECT_DOUBLE_EQ(spectra_cost(weights, SpectraChoice::sample, 3).flops,
                   2 * (5 * 3e7 + 3 * (5e6 + 4.0 / 3 * 1e6)));
  EXPECT_DOUBLE_EQ(spectra_cost(weights, SpectraChoice::sample, 1).flops, 2 * 3e7);
  EXPECT_EQ(spectra_cost(weights, SpectraChoice::sample, 3).decompositions, 8u);
}

TEST(SpectraCost, IsNothingForWhatIsNotChosen) {
  const std::vector<Weight> weights = {matrix(Role::dense_up, 2000, 1000), matrix(Role::final_norm, 1, 1000)};
  EXPECT_EQ(spectra_cost(weights, SpectraChoice::sample, 3).flops, 0);
  EXPECT_EQ(spectra_cost(weights, SpectraChoice::none, 3).matrices, 0u);
}

TEST(SpectraSeconds, AreNotLessThanThoseOfTheLargestMatrixOnOneThread) {
  SpectraCost cost;
  cost.flops = 8e9;
  cost.largest_flops = 6e9;
  EXPECT_DOUBLE_EQ(spectra_seconds(cost, 4e9, 2), 3);
  EXPECT_DOUBLE_EQ(spectra_seconds(cost, 4e9, 1), 2);
}

TEST(SpectraRate, IsThatOfARealDecomposition) {
  ThreadPool threads(2);
  const double rate = measure_spectra_rate(threads);
  EXPECT_GT(rate, 1e5);   // even where a sanitizer watches
  EXPECT_LT(rate, 1e13);  // more than any two cores do in double precision
}

}  // namespace
}  // namespace moescope
