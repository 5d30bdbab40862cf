#include "analysis/weights/weight_trajectory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "analysis/kernels/element_convert.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/random_values.h"
#include "tests/support/special_values.h"

namespace moescope {
namespace {

using testing::Each;

constexpr std::uint64_t sketch_key_of_test = 77;
/// More than a task, with a ragged last block.
constexpr std::size_t ragged = WeightTrajectorySum::task_elements + 4 * weight_block_size + 387;

/// One version of a tensor as a checkpoint stores it.
struct Version {
  DType dtype = DType::bf16;
  std::string bytes;

  Version(DType type, const std::vector<float>& values) : dtype(type), bytes(encode_elements(values, type)) {}
  std::size_t size() const { return dtype_elements(dtype, bytes.size()); }
  std::vector<float> values() const {
    std::vector<float> result(size());
    convert_to_float(dtype, std::as_bytes(std::span(bytes)), result);
    return result;
  }
  StoredElements part(std::size_t first, std::size_t count) const {
    const std::size_t width = dtype_bytes(dtype, 1);
    return {dtype, std::as_bytes(std::span(bytes)).subspan(first * width, count * width)};
  }
};

/// What outlives the sum.
struct Traced {
  WeightTrajectory trajectory;
  std::vector<Bfloat16Histogram> histograms;
};

/// Task by task, as if the tensor were read in the smallest pieces.
Traced trace(const std::vector<Version>& versions, unsigned threads = 2) {
  ThreadPool pool(threads);
  WeightTrajectorySum sum(versions.size(), pool);
  sum.begin(sketch_key_of_test);
  const std::size_t size = versions.front().size();
  for (std::size_t first = 0; first < size; first += WeightTrajectorySum::task_elements) {
    const std::size_t count = std::min<std::size_t>(WeightTrajectorySum::task_elements, size - first);
    std::vector<StoredElements> parts;
    for (const Version& version : versions) parts.push_back(version.part(first, count));
    sum.add(parts, count);
  }
  Traced traced = {sum.result(), {}};
  traced.histograms.assign(traced.trajectory.histograms.begin(), traced.trajectory.histograms.end());
  traced.trajectory.histograms = {};
  return traced;
}

/// The plain computation over the finite elements, in long double.
WeightStats plain_stats(const std::vector<float>& values, float least_normal) {
  std::vector<long double> finite;
  WeightStats stats;
  for (const float value : values) {
    if (!std::isfinite(value)) {
      ++stats.nonfinite_count;
      continue;
    }
    finite.push_back(value);
    stats.zero_count += value == 0;
    stats.denormal_count += value != 0 && std::abs(value) < least_normal;
  }
  const auto power_mean = [&](long double centre, int power) {
    long double sum = 0;
    for (const long double value : finite) sum += std::pow(value - centre, power);
    return sum / static_cast<long double>(finite.size());
  };
  const long double mean = power_mean(0, 1), variance = power_mean(mean, 2);
  stats.element_count = static_cast<std::int64_t>(values.size());
  stats.norm = static_cast<double>(std::sqrt(power_mean(0, 2) * static_cast<long double>(finite.size())));
  stats.mean = static_cast<double>(mean);
  stats.standard_deviation = static_cast<double>(std::sqrt(variance));
  stats.kurtosis = static_cast<double>(power_mean(mean, 4) / variance / variance);
  stats.min = static_cast<double>(std::ranges::min(finite));
  stats.max = static_cast<double>(std::ranges::max(finite));
  stats.max_abs = std::max(-stats.min, stats.max);
  return stats;
}

void expect_stats(const WeightStats& found, const WeightStats& expected) {
  EXPECT_EQ(found.element_count, expected.element_count);
  EXPECT_EQ(found.nonfinite_count, expected.nonfinite_count);
  EXPECT_EQ(found.zero_count, expected.zero_count);
  EXPECT_EQ(found.denormal_count, expected.denormal_count);
  EXPECT_EQ(found.min, expected.min);
  EXPECT_EQ(found.max, expected.max);
  EXPECT_EQ(found.max_abs, expected.max_abs);
  EXPECT_NEAR(found.norm, expected.norm, 1e-13 * expected.norm);
  EXPECT_NEAR(found.mean, expected.mean, 1e-13 * expected.standard_deviation);
  EXPECT_NEAR(found.standard_deviation, expected.standard_deviation, 1e-13 * expected.standard_deviation);
  EXPECT_NEAR(found.kurtosis, expected.kurtosis, 1e-12 * expected.kurtosis);
}

/// Weights with zeros of both signs, and denormals of every type.
std::vector<float> weights_of_test(unsigned seed, std::size_t count = ragged) {
  std::vector<float> values = normal_values<float>(count, seed, 0.02f, 0.001f);
  values[3] = 0, values[count - 2] = -0.0f;
  values[5] = 0x1p-20f, values[count - 3] = -0x1p-16f;  // of float16
  values[7] = 0x1p-130f;                                // of the other two; 0 in float16
  return values;
}

float least_normal(DType dtype) {
  return dtype == DType::f16 ? least_normal_float16 : least_normal_float32;
}

TEST(WeightTrajectory, StatisticsOfEveryStoredTypeAgreeWithLongDouble) {
  const std::vector<Version> versions = {{DType::f32, weights_of_test(1)},
                                         {DType::f16, weights_of_test(2)},
                                         {DType::bf16, weights_of_test(3)},
                                         {DType::f32, weights_of_test(4)}};
  const Traced traced = trace(versions);
  for (std::size_t c = 0; c < versions.size(); ++c) {
    SCOPED_TRACE(c);
    expect_stats(traced.trajectory.stats[c],
                 plain_stats(versions[c].values(), least_normal(versions[c].dtype)));
    EXPECT_GE(traced.trajectory.stats[c].denormal_count, 1);
    EXPECT_GE(traced.trajectory.stats[c].zero_count, 2);
  }
}

TEST(WeightTrajectory, ProductsOfMixedTypesAreThoseOfTheStoredValues) {
  const std::vector<Version> versions = {
      {DType::f16, weights_of_test(1)}, {DType::bf16, weights_of_test(1)}, {DType::f32, weights_of_test(5)}};
  const WeightInnerProducts products = trace(versions).trajectory.products;
  const std::vector<float> a = versions[0].values(), b = versions[1].values(), c = versions[2].values();
  long double inner = 0, squared_step = 0, steps = 0;
  for (std::size_t i = 0; i < ragged; ++i) {
    const long double rounded = static_cast<long double>(b[i]) - a[i];
    inner += static_cast<long double>(a[i]) * c[i];
    squared_step += rounded * rounded;
    steps += rounded * (static_cast<long double>(c[i]) - b[i]);
  }
  const double scale = std::sqrt(products.inner_product[0] * products.inner_product[8]);
  EXPECT_NEAR(products.inner_product[2], static_cast<double>(inner), 1e-13 * scale);
  const double square = static_cast<double>(squared_step);
  EXPECT_GT(square, 0);  // of what was rounded
  EXPECT_NEAR(products.delta_inner_product[0], square, 1e-13 * square);
  const double length = std::sqrt(square * products.delta_inner_product[3]);
  EXPECT_NEAR(products.delta_inner_product[1], static_cast<double>(steps), 1e-12 * length);
}

TEST(WeightTrajectory, HistogramsAndStepsNeedBfloat16) {
  const std::vector<float> values = weights_of_test(6);
  const Traced traced =
      trace({{DType::f32, values}, {DType::bf16, values}, {DType::bf16, values}, {DType::f16, values}});
  const auto counted = [](const auto& counts) {
    std::int64_t sum = 0;
    for (const std::int64_t count : counts) sum += count;
    return sum;
  };
  const auto all = static_cast<std::int64_t>(ragged);
  EXPECT_EQ(counted(traced.histograms[0].counts), 0);
  EXPECT_EQ(counted(traced.histograms[1].counts), all);
  EXPECT_EQ(counted(traced.histograms[3].counts), 0);
  EXPECT_THAT(traced.trajectory.steps[0].counts, Each(0));
  EXPECT_EQ(traced.trajectory.steps[1].counts[step_bin(0)], all);
  EXPECT_THAT(traced.trajectory.steps[2].counts, Each(0));
  EXPECT_TRUE(std::isnan(fraction_changed(traced.trajectory.steps[0])));
  EXPECT_EQ(fraction_changed(traced.trajectory.steps[1]), 0);
}

TEST(WeightTrajectory, SketchesDependOnTheValuesNotOnHowTheyAreStored) {
  std::vector<float> values = normal_values<float>(ragged, 7);
  for (float& value : values) value = std::round(8 * value) / 8;  // in all types the same
  const Traced traced = trace({{DType::f32, values}, {DType::f16, values}, {DType::bf16, values}});
  WeightSketch whole;
  whole.add(sketch_key_of_test, 0, values);
  for (const WeightSketch& sketch : traced.trajectory.sketches) EXPECT_EQ(sketch.sums, whole.sums);
}

TEST(WeightTrajectory, NonFiniteElementsAreCountedNeverAveraged) {
  for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
    std::vector<float> broken = weights_of_test(8);
    broken[0] = infinity_f32, broken[100] = -infinity_f32;
    broken[ragged - 1] = nan_f32, broken[WeightTrajectorySum::task_elements] = -nan_f32;
    Version version(dtype, broken);
    if (dtype == DType::f16) {  // whose encoder knows no NaN
      version.bytes[2 * ragged - 1] = version.bytes[2 * WeightTrajectorySum::task_elements + 1] = '\x7e';
    }
    const Traced traced = trace({version});
    EXPECT_EQ(traced.trajectory.stats[0].nonfinite_count, 4);
    expect_stats(traced.trajectory.stats[0], plain_stats(version.values(), least_normal(dtype)));
  }
}

TEST(WeightTrajectory, NonFiniteElementsSpoilWhatTheyTakePartInAndNothingElse) {
  std::vector<float> broken = weights_of_test(9);
  broken[ragged - 1] = nan_f32;
  const Traced traced =
      trace({{DType::bf16, weights_of_test(9)}, {DType::bf16, broken}, {DType::bf16, weights_of_test(9)}});
  const WeightInnerProducts& products = traced.trajectory.products;
  for (const std::size_t whole : {0, 2, 6, 8}) EXPECT_TRUE(std::isfinite(products.inner_product[whole]));
  for (const std::size_t spoilt : {1, 3, 4, 5, 7}) EXPECT_TRUE(std::isnan(products.inner_product[spoilt]));
  EXPECT_EQ(traced.trajectory.steps[0].nonfinite_count, 1);
  EXPECT_EQ(traced.trajectory.steps[0].counts[step_bin(0)], static_cast<std::int64_t>(ragged) - 1);
  EXPECT_EQ(fraction_changed(traced.trajectory.steps[0]), 0);
  const auto nans = [](const WeightSketch& sketch) {
    return std::ranges::count_if(sketch.sums, [](double value) { return std::isnan(value); });
  };
  EXPECT_EQ(nans(traced.trajectory.sketches[0]), 0);
  EXPECT_EQ(nans(traced.trajectory.sketches[1]), 1);
}

// Of version 1 an element of the first block and the last one of the ragged block are not finite, of version
// 3 one between; the drift of 0, 2 and 4 is that of a series without them.
TEST(WeightTrajectory, NonFiniteVersionsLeaveTheDistancesOfAllOthers) {
  for (const DType dtype : {DType::bf16, DType::f32}) {
    std::vector<Version> versions;
    for (unsigned c = 0; c < 5; ++c) {
      std::vector<float> values = weights_of_test(20 + c);
      if (c == 1) values[2] = nan_f32, values[ragged - 1] = infinity_f32;
      if (c == 3) values[WeightTrajectorySum::task_elements + 9] = -infinity_f32;
      versions.emplace_back(dtype, values);
    }
    const WeightInnerProducts all = trace(versions).trajectory.products,
                              whole = trace({versions[0], versions[2], versions[4]}).trajectory.products;
    const std::vector<double> found = distances(all), expected = distances(whole);
    for (std::size_t s = 0; s < 5; ++s) {
      for (std::size_t t = 0; t < 5; ++t) {
        if (s % 2 == 1 || t % 2 == 1) {
          EXPECT_TRUE(std::isnan(found[s * 5 + t]));
        } else {
          EXPECT_NEAR(found[s * 5 + t], expected[s / 2 * 3 + t / 2], 1e-12 * expected[1]);
        }
      }
    }
    EXPECT_THAT(all.delta_inner_product, Each(testing::IsNan()));  // every step touches one of the two
  }
}

// A step across an element that is not finite is formed from the two values, not from long sums that cancel.
TEST(WeightTrajectory, ATinyMoveAcrossANonFiniteVersionIsExact) {
  std::vector<float> before(ragged, 1.0f), broken(ragged, nan_f32), after(ragged, 1.0f);
  after[5] = 1 + 0x1p-7f;
  const Traced traced = trace({{DType::bf16, before}, {DType::bf16, broken}, {DType::bf16, after}});
  EXPECT_EQ(distances(traced.trajectory.products)[2], 0x1p-7);
}

TEST(WeightTrajectory, ElementsMayLieAnywhereInMemory) {
  const Version version(DType::bf16, weights_of_test(10));
  const Traced expected = trace({version});
  const std::string shifted = "x" + version.bytes;  // one of the two is not aligned
  ThreadPool pool(1);
  WeightTrajectorySum sum(1, pool);
  sum.begin(sketch_key_of_test);
  sum.add(std::vector<StoredElements>{{DType::bf16, std::as_bytes(std::span(shifted)).subspan(1)}}, ragged);
  const WeightTrajectory found = sum.result();
  EXPECT_EQ(found.histograms[0].counts, expected.histograms[0].counts);
  EXPECT_EQ(found.sketches[0].sums, expected.trajectory.sketches[0].sums);
  EXPECT_EQ(found.products.inner_product, expected.trajectory.products.inner_product);
}

}  // namespace
}  // namespace moescope
