#include "metrics/weights/bfloat16_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <vector>

#include "tests/support/random_values.h"
#include "tests/support/special_values.h"

namespace moescope {
namespace {

using Patterns = std::vector<std::uint16_t>;
using Bins = std::map<std::int32_t, std::int64_t>;  // smallest step count of a bin -> elements

Bfloat16Steps steps_between(const Patterns& earlier, const Patterns& later) {
  Bfloat16Steps steps;
  steps.add(earlier, later);
  return steps;
}

Bins bins_in_use(const Bfloat16Steps& steps) {
  Bins bins;
  for (std::size_t bin = 0; bin < step_bins; ++bin) {
    if (steps.counts[bin] > 0) bins[step_range(bin).nearest] = steps.counts[bin];
  }
  return bins;
}

void expect_same(const Bfloat16Steps& a, const Bfloat16Steps& b) {
  EXPECT_EQ(a.counts, b.counts);
  EXPECT_EQ(a.nonfinite_count, b.nonfinite_count);
}

TEST(Bfloat16Steps, FindsPlantedSteps) {
  Patterns earlier(1000, bf16::one), later = earlier;
  later[3] += 1, later[500] += 1, later[999] += 7;  // of a positive value: upwards
  earlier[10] = later[10] = bf16::minus_one;
  later[10] += 2;  // of a negative value: downwards
  later[20] -= 15, later[21] -= 16, later[22] += 31, later[23] += 32;
  const Bfloat16Steps steps = steps_between(earlier, later);
  EXPECT_EQ(bins_in_use(steps),
            (Bins{{0, 992}, {1, 2}, {7, 1}, {-2, 1}, {-15, 1}, {-16, 1}, {16, 1}, {32, 1}}));
  EXPECT_DOUBLE_EQ(fraction_changed(steps), 0.008);
  EXPECT_EQ(steps.nonfinite_count, 0);
}

TEST(Bfloat16Steps, LeadToTheNextValueAcrossPowersOfTwo) {
  EXPECT_EQ(bins_in_use(steps_between({0x3f7f}, {bf16::one})), (Bins{{1, 1}}));  // 0.99609375 to 1
  EXPECT_EQ(bins_in_use(steps_between({0x007f}, {0x0080})), (Bins{{1, 1}}));     // denormal to normal
}

TEST(Bfloat16Steps, ZerosOfBothSignsAreEqual) {
  const Bfloat16Steps steps =
      steps_between({bf16::zero, bf16::minus_zero, bf16::zero}, {bf16::minus_zero, bf16::zero, bf16::zero});
  EXPECT_EQ(bins_in_use(steps), (Bins{{0, 3}}));
  EXPECT_EQ(fraction_changed(steps), 0);
}

TEST(Bfloat16Steps, CountThroughZeroWhereTheSignChanges) {
  EXPECT_EQ(bins_in_use(steps_between({bf16::minus_smallest_denormal, bf16::smallest_denormal},
                                      {bf16::smallest_denormal, bf16::minus_smallest_denormal})),
            (Bins{{2, 1}, {-2, 1}}));
  EXPECT_EQ(bins_in_use(steps_between({bf16::minus_zero, bf16::zero},
                                      {bf16::smallest_denormal, bf16::minus_smallest_denormal})),
            (Bins{{1, 1}, {-1, 1}}));
  EXPECT_EQ(bins_in_use(steps_between({bf16::minus_one}, {bf16::one})),
            (Bins{{16384, 1}}));  // 2 * 0x3f80 = 32512
}

TEST(Bfloat16Steps, TheFarthestFiniteValuesFallIntoTheOutermostBins) {
  const Bfloat16Steps steps =
      steps_between({bf16::minus_largest, bf16::largest}, {bf16::largest, bf16::minus_largest});
  EXPECT_EQ(steps.counts.front(), 1);
  EXPECT_EQ(steps.counts.back(), 1);
}

TEST(Bfloat16Steps, EveryStepCountIsWithinTheRangeOfItsBin) {
  std::size_t last = 0;
  for (std::int32_t steps = -65535; steps <= 65535; ++steps) {
    const std::size_t bin = step_bin(steps);
    ASSERT_LT(bin, step_bins);
    const StepRange range = step_range(bin);
    ASSERT_LE(std::abs(range.nearest), std::abs(steps));
    ASSERT_GE(std::abs(range.farthest), std::abs(steps));
    ASSERT_GE(std::int64_t{range.nearest} * steps, 0);
    ASSERT_TRUE(bin == last || bin == last + 1);  // ascending, none left out
    last = bin;
  }
  EXPECT_EQ(last, step_bins - 1);
}

TEST(Bfloat16Steps, EveryStepCountIsCountedInItsBin) {
  constexpr std::int32_t farthest = 0x7f7f;  // place of the largest finite value
  const auto pattern_at = [](std::int32_t place) {
    return static_cast<std::uint16_t>(place < 0 ? 0x8000 - place : place);
  };
  Patterns earlier, later;
  Bfloat16Steps expected, one_by_one;
  for (std::int32_t steps = -2 * farthest; steps <= 2 * farthest; ++steps) {
    const std::int32_t start = std::clamp(-steps / 2 + steps % 7, -farthest, farthest);
    if (std::abs(start + steps) > farthest) continue;
    earlier.push_back(pattern_at(start)), later.push_back(pattern_at(start + steps));
    ++expected.counts[step_bin(steps)];
    one_by_one.add(std::span(earlier).last(1), std::span(later).last(1));
  }
  EXPECT_GT(earlier.size(), 4 * farthest - 100);
  expect_same(steps_between(earlier, later), expected);
  expect_same(one_by_one, expected);
}

TEST(Bfloat16Steps, OfIdenticalTensorsAreAllZero) {
  const Patterns tensor(777, bf16::minus_one);
  const Bfloat16Steps steps = steps_between(tensor, tensor);
  EXPECT_EQ(bins_in_use(steps), (Bins{{0, 777}}));
  EXPECT_EQ(fraction_changed(steps), 0);
}

TEST(Bfloat16Steps, AreUnknownForNothing) {
  const Bfloat16Steps steps = steps_between({}, {});
  EXPECT_THAT(steps.counts, testing::Each(0));
  EXPECT_THAT(fraction_changed(steps), testing::IsNan());
}

TEST(Bfloat16Steps, NonFiniteElementsAreCountedApart) {
  const Bfloat16Steps steps = steps_between(
      {bf16::one, bf16::infinity, bf16::quiet_nan, bf16::quiet_nan, bf16::minus_infinity, bf16::one},
      {bf16::quiet_nan, bf16::one, bf16::quiet_nan, bf16::zero, bf16::infinity, bf16::one});
  EXPECT_EQ(steps.nonfinite_count, 5);
  EXPECT_EQ(bins_in_use(steps), (Bins{{0, 1}}));
  EXPECT_EQ(fraction_changed(steps), 0);
  EXPECT_THAT(fraction_changed(steps_between({bf16::quiet_nan}, {bf16::one})), testing::IsNan());
}

TEST(Bfloat16Steps, AgreeWithWalkingFromValueToValue) {
  std::map<float, std::int32_t> places;  // all finite values in order, -0 and +0 as one
  for (std::uint32_t pattern = 0; pattern < 65536; ++pattern) {
    const float value = std::bit_cast<float>(pattern << 16);
    if (std::isfinite(value)) places[value] = 0;
  }
  std::int32_t next = 0;
  for (auto& [value, place] : places) place = next++;
  const Patterns earlier = random_patterns(20000, 1), later = random_patterns(20000, 2);
  Bfloat16Steps expected;
  for (std::size_t i = 0; i < earlier.size(); ++i) {
    const float a = std::bit_cast<float>(std::uint32_t{earlier[i]} << 16);
    const float b = std::bit_cast<float>(std::uint32_t{later[i]} << 16);
    if (std::isfinite(a) && std::isfinite(b))
      ++expected.counts[step_bin(places[b] - places[a])];
    else
      ++expected.nonfinite_count;
  }
  expect_same(steps_between(earlier, later), expected);
}

TEST(Bfloat16Steps, AnyCuttingGivesTheSameCounts) {
  const Patterns earlier = random_patterns(5000, 3), later = random_patterns(5000, 4);
  const Bfloat16Steps whole = steps_between(earlier, later);
  for (const std::size_t piece : {1ul, 7ul, 511ul, 513ul, 4999ul}) {
    Bfloat16Steps added, merged;
    for (std::size_t start = 0; start < earlier.size(); start += piece) {
      const std::size_t count = std::min(piece, earlier.size() - start);
      Bfloat16Steps alone;
      for (Bfloat16Steps* steps : {&added, &alone})
        steps->add(std::span(earlier).subspan(start, count), std::span(later).subspan(start, count));
      merged.merge(alone);
    }
    expect_same(added, whole);
    expect_same(merged, whole);
  }
}

}  // namespace
}  // namespace moescope
