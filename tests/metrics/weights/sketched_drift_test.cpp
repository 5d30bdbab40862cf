#include "metrics/weights/sketched_drift.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "metrics/weights/weight_sketch.h"
#include "tests/support/random_values.h"

namespace moescope {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsNan;

constexpr double m = sketch_size;

std::vector<float> sketched(std::uint64_t key, const std::vector<float>& values) {
  WeightSketch sketch;
  sketch.add(key, 0, std::span(values));
  return sketch.values();
}

std::vector<double> squares_of(const std::vector<std::vector<float>>& sketches) {
  return sketched_squares(std::vector<std::span<const float>>(sketches.begin(), sketches.end()));
}

double squared_norm(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * value;
  return sum;
}

TEST(SketchedDrift, OfSmallTensorsIsExactInAllPairs) {
  const std::vector<double> squares =
      squares_of({sketched(1, {3, 4}), sketched(1, {3, 0}), sketched(1, {0, 0})});
  EXPECT_THAT(squares, ElementsAre(0, 16, 25, 16, 0, 9, 25, 9, 0));
  SketchedDistances distances = SketchedDistances::zero(3);
  distances.add(squares, 2);
  const SketchedDrift drift = sketched_drift(distances, std::vector<double>{5, 3, 0});
  EXPECT_DOUBLE_EQ(drift.value[1], 0.8);      // from 0 to 1
  EXPECT_DOUBLE_EQ(drift.value[3], 4.0 / 3);  // from 1 to 0
  EXPECT_THAT(std::span(drift.value).subspan(6), Each(IsNan()));
  EXPECT_THAT(std::span(drift.standard_error).first(6), Each(0.0));
  EXPECT_THAT(std::span(drift.standard_error).subspan(6), Each(IsNan()));
}

// Of one large tensor: sqrt(1 / 2m) of the drift, half the relative error of its square.
TEST(SketchedDrift, OfOneTensorHasItsRelativeError) {
  SketchedDistances distances = SketchedDistances::zero(2);
  distances.add(std::vector<double>{0, 4, 4, 0}, 5000);
  const SketchedDrift drift = sketched_drift(distances, std::vector<double>{10, 20});
  EXPECT_THAT(drift.value, ElementsAre(0, 0.2, 0.1, 0));
  EXPECT_DOUBLE_EQ(drift.standard_error[1], 0.2 * std::sqrt(1 / (2 * m)));
  EXPECT_EQ(drift.standard_error[0], 0);
}

TEST(SketchedDrift, ErrorsOfDifferentKeysAverageOutAndThoseOfOneKeyDoNot) {
  constexpr std::size_t tensors = 16;
  SketchedDistances different = SketchedDistances::zero(2), same = SketchedDistances::zero(2);
  for (std::size_t i = 0; i < tensors; ++i) different.add(std::vector<double>{0, 1, 1, 0}, 5000);
  same.add(std::vector<double>{0, tensors, tensors, 0}, 5000);
  const std::vector<double> norms = {1, 1};
  const SketchedDrift averaged = sketched_drift(different, norms), worst = sketched_drift(same, norms);
  EXPECT_EQ(averaged.value[1], worst.value[1]);
  EXPECT_DOUBLE_EQ(worst.standard_error[1], 4 * averaged.standard_error[1]);
}

/// Of 16 blocks.
std::vector<float> random_move(unsigned seed) {
  std::vector<float> move;
  for (const std::uint16_t pattern : random_patterns(16 * sketch_size, seed))
    move.push_back(static_cast<float>(pattern) - 32767.5f);
  return move;
}

/// Of 400 sums over 4 tensors that share a key, each move made by move_of(sum, tensor): the mean square of
/// the error in units of the stated standard error.
template <class MoveOf>
double mean_squared_error(MoveOf move_of) {
  constexpr unsigned sums = 400, tensors = 4;
  double total = 0;
  for (unsigned sum = 0; sum < sums; ++sum) {
    std::vector<double> squares(4);
    double exact = 0;
    for (unsigned tensor = 0; tensor < tensors; ++tensor) {
      const std::vector<float> move = move_of(sum, tensor);
      exact += squared_norm(move);
      squares[1] += squares_of({sketched(sum, move), std::vector<float>(sketch_size)})[1];
    }
    squares[2] = squares[1];
    SketchedDistances distances = SketchedDistances::zero(2);
    distances.add(squares, 16 * sketch_size);
    const SketchedDrift drift = sketched_drift(distances, std::vector<double>{1, 1});
    total += std::pow((drift.value[1] - std::sqrt(exact)) / drift.standard_error[1], 2) / sums;
  }
  return total;
}

// A tensor of b blocks has 1 - 1/b of the stated variance, here 0.94: pairs of elements of one block never
// meet. The mean of 400 such squares has a standard error of 0.07.
TEST(SketchedDrift, StatesTheErrorOfTensorsThatMoveAlike) {
  const double error = mean_squared_error([](unsigned sum, unsigned) { return random_move(sum + 1); });
  EXPECT_GT(error, 0.7);
  EXPECT_LT(error, 1.2);
}

// Moves at right angles err independently, with a fourth of the stated variance.
TEST(SketchedDrift, StatesTooLargeAnErrorForTensorsThatMoveEachTheirWay) {
  const double error =
      mean_squared_error([](unsigned sum, unsigned tensor) { return random_move(1000 + 4 * sum + tensor); });
  EXPECT_GT(error, 0.7 / 4);
  EXPECT_LT(error, 1.2 / 4);
}

TEST(SketchedDrift, OfSketchesThatAreNotFiniteIsUnknown) {
  const std::vector<float> known(sketch_size, 1),
      unknown(sketch_size, std::numeric_limits<float>::quiet_NaN());
  SketchedDistances distances = SketchedDistances::zero(2);
  distances.add(squares_of({known, unknown}), 5000);
  const SketchedDrift drift = sketched_drift(distances, std::vector<double>{1, 1});
  EXPECT_EQ(drift.value[0], 0);
  EXPECT_THAT(std::span(drift.value).subspan(1), Each(IsNan()));
  EXPECT_THAT(std::span(drift.standard_error).subspan(1), Each(IsNan()));
}

}  // namespace
}  // namespace moescope
