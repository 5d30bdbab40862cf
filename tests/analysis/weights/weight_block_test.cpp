#include "analysis/weights/weight_block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "metrics/weights/bfloat16_histogram.h"
#include "tests/support/instruction_set_fixture.h"
#include "tests/support/random_values.h"
#include "tests/support/special_values.h"

namespace moescope {
namespace {

constexpr std::size_t length = weight_block_elements, window_length = 2 * sketch_size;
constexpr std::size_t most_checkpoints = 13;

/// A block of every checkpoint, and what the kernel makes of it.
struct BlockCase {
  std::vector<BlockRow> rows;
  Aligned<std::uint16_t> patterns;
  Aligned<float> floats;
  bool has_floats = false;

  /// Checkpoint c is stored as bfloat16 unless has_floats and c % 3 == 1.
  BlockCase(std::size_t checkpoints, bool mixed) : rows(checkpoints), has_floats(mixed) {
    patterns.resize(checkpoints * length);
    floats.resize(checkpoints * length);
    for (std::size_t c = 0; c < checkpoints; ++c) rows[c].is_bfloat16 = !mixed || c % 3 != 1;
  }
  std::size_t size() const { return rows.size(); }
  void set_patterns(std::size_t c, const std::vector<std::uint16_t>& values) {
    std::ranges::copy(values, patterns.begin() + static_cast<std::ptrdiff_t>(c * length));
    for (std::size_t i = 0; i < length; ++i)
      floats[c * length + i] = std::bit_cast<float>(std::uint32_t{values[i]} << 16);
  }
  /// Floats that bfloat16 does not hold, where the checkpoint is not stored as such.
  void set_floats(std::size_t c, const std::vector<float>& values) {
    std::vector<std::uint16_t> upper(length);
    for (std::size_t i = 0; i < length; ++i)
      upper[i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(values[i]) >> 16);
    set_patterns(c, upper);
    if (!rows[c].is_bfloat16)
      std::ranges::copy(values, floats.begin() + static_cast<std::ptrdiff_t>(c * length));
  }
  double value(std::size_t c, std::size_t i) const { return floats[c * length + i]; }
};

/// All sums of `size` checkpoints.
struct BlockTotals {
  Aligned<float> windows;
  Aligned<std::uint32_t> histograms, steps;
  std::vector<double> products, step_products;

  explicit BlockTotals(std::size_t size)
      : windows(size * window_length),
        histograms(size * bfloat16_patterns),
        steps((size - 1) * step_pairs),
        products(size * (size + 1) / 2 * inner_product_lanes),
        step_products(size * (size - 1) / 2 * inner_product_lanes) {
    std::ranges::fill(windows, 0.0f);
    std::ranges::fill(histograms, 0u);
    std::ranges::fill(steps, 0u);
  }
  BlockSums places() {
    return {windows.data(), histograms.data(), steps.data(), products.data(), step_products.data()};
  }
};

void add(const BlockCase& block, const SketchSigns& signs, BlockTotals& sums) {
  BlockRoom room(block.size());
  add_block({block.rows, block.patterns.data(), block.has_floats ? block.floats.data() : nullptr}, signs,
            sums.places(), room);
}

/// The same bits, or NaN both: which NaN is not said.
template <class Value>
void expect_same(const Value& found, const Value& expected, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (std::isnan(expected[i]) && std::isnan(found[i])) continue;
    ASSERT_EQ(found[i], expected[i]) << what << " " << i;
  }
}

/// <row a, row b> in lanes, each product and each sum rounded by itself.
template <class Row>
std::vector<double> plain_products(std::size_t rows, Row row) {
  std::vector<double> sums;
  for (std::size_t a = 0; a < rows; ++a) {
    for (std::size_t b = a; b < rows; ++b) {
      std::vector<double> lanes(inner_product_lanes);
      for (std::size_t i = 0; i < length; ++i) {
        const volatile double product = row(a, i) * row(b, i);
        lanes[i % inner_product_lanes] += product;
      }
      sums.insert(sums.end(), lanes.begin(), lanes.end());
    }
  }
  return sums;
}

void expect_products(const BlockCase& block, const BlockTotals& sums) {
  const auto element = [&](std::size_t c, std::size_t i) { return block.value(c, i); };
  const auto step = [&](std::size_t c, std::size_t i) { return block.value(c + 1, i) - block.value(c, i); };
  expect_same(sums.products, plain_products(block.size(), element), "product");
  expect_same(sums.step_products, plain_products(block.size() - 1, step), "step product");
}

void expect_windows(const BlockCase& block, const SketchSigns& signs, const BlockTotals& sums) {
  std::vector<float> expected(block.size() * window_length);
  for (std::size_t c = 0; c < block.size(); ++c) {
    for (std::size_t i = 0; i < length; ++i) {
      const bool minus = (signs.minus[i / 64] >> i % 64 & 1) != 0;
      const auto value = static_cast<float>(block.value(c, i));
      expected[c * window_length + signs.rotation + i] += minus ? -value : value;
    }
  }
  expect_same(std::vector<float>(sums.windows.begin(), sums.windows.end()), expected, "window");
}

void expect_counts(const BlockCase& block, const BlockTotals& sums) {
  for (std::size_t c = 0; c < block.size(); ++c) {
    Bfloat16Histogram expected;
    const std::span row = std::span(block.patterns).subspan(c * length, length);
    if (block.rows[c].is_bfloat16) expected.add(row);
    ASSERT_TRUE(std::equal(expected.counts.begin(), expected.counts.end(),
                           sums.histograms.begin() + static_cast<std::ptrdiff_t>(c * bfloat16_patterns)))
        << c;
    if (c == 0) continue;
    Bfloat16Steps steps, found;
    if (block.rows[c - 1].is_bfloat16 && block.rows[c].is_bfloat16)
      steps.add(std::span(block.patterns).subspan((c - 1) * length, length), row);
    add_step_pairs(std::span(sums.steps).subspan((c - 1) * step_pairs, step_pairs), found);
    ASSERT_EQ(found.counts, steps.counts) << c;
    ASSERT_EQ(found.nonfinite_count, steps.nonfinite_count) << c;
  }
}

void expect_all(const BlockCase& block) {
  for (const std::uint64_t number : {0u, 1u, 2u}) {  // rotations that are a multiple of no vector
    const SketchSigns signs = sketch_signs(number, number);
    BlockTotals sums(block.size());
    add(block, signs, sums);
    expect_products(block, sums);
    expect_windows(block, signs, sums);
    expect_counts(block, sums);
  }
}

class WeightBlockTest : public InstructionSetTest {};

TEST_P(WeightBlockTest, OrdinaryWeightsAreSummedAsDefined) {
  for (std::size_t checkpoints = 1; checkpoints <= most_checkpoints; ++checkpoints) {
    for (const bool mixed : {false, true}) {
      SCOPED_TRACE(testing::Message() << checkpoints << (mixed ? " mixed" : ""));
      BlockCase block(checkpoints, mixed);
      for (std::size_t c = 0; c < checkpoints; ++c) {
        std::vector<float> values = normal_values<float>(length, 1, 0.02f);
        const std::vector<float> moves = normal_values<float>(length, static_cast<unsigned>(c), 0.001f);
        for (std::size_t i = 0; i < length; i += 1 + c % 2) values[i] += moves[i];
        block.set_floats(c, values);
      }
      expect_all(block);
    }
  }
}

// Among any patterns are infinite ones and NaN, zeros and subnormal numbers; steps of every size.
TEST_P(WeightBlockTest, AnyPatternsAreSummedAsDefined) {
  for (const std::size_t checkpoints : {1u, 2u, 3u, 5u, 8u}) {
    SCOPED_TRACE(checkpoints);
    BlockCase block(checkpoints, false);
    for (std::size_t c = 0; c < checkpoints; ++c)
      block.set_patterns(c, moescope::random_patterns(length, static_cast<unsigned>(c)));
    expect_all(block);
  }
}

// Products of differences of numbers far apart have more digits than a double.
TEST_P(WeightBlockTest, ProductsOfStepsAreRoundedBeforeTheyAreAdded) {
  for (const std::size_t checkpoints : {2u, 3u, 6u}) {
    SCOPED_TRACE(checkpoints);
    BlockCase block(checkpoints, true);
    for (std::size_t c = 0; c < checkpoints; ++c) {
      std::vector<float> values = normal_values<float>(length, static_cast<unsigned>(c));
      for (std::size_t i = 0; i < length; ++i)
        values[i] = std::ldexp(values[i], static_cast<int>(i * 7 % 41) - 20);
      block.set_floats(c, values);
    }
    expect_all(block);
  }
}

TEST_P(WeightBlockTest, EveryPairOfKindsOfNumbersIsAStep) {
  const std::vector<std::uint16_t> kinds = {bf16::zero,
                                            bf16::minus_zero,
                                            bf16::smallest_denormal,
                                            bf16::minus_smallest_denormal,
                                            bf16::largest,
                                            bf16::minus_largest,
                                            bf16::one,
                                            bf16::minus_one,
                                            bf16::infinity,
                                            bf16::minus_infinity,
                                            bf16::quiet_nan,
                                            bf16::signalling_nan,
                                            0x3f8f,
                                            0x3f90,
                                            0x3fa0,
                                            0x407f};
  BlockCase block(2, false);
  std::vector<std::uint16_t> earlier(length), later(length);
  for (std::size_t i = 0; i < length; ++i)
    earlier[i] = kinds[i % kinds.size()], later[i] = kinds[i / kinds.size() % kinds.size()];
  block.set_patterns(0, earlier);
  block.set_patterns(1, later);
  expect_all(block);
}

TEST_P(WeightBlockTest, BlocksAddUp) {
  BlockCase block(2, false);
  for (std::size_t c = 0; c < 2; ++c)
    block.set_floats(c, normal_values<float>(length, static_cast<unsigned>(c)));
  BlockTotals once(2), twice(2);
  add(block, {}, once);
  for (int round = 0; round < 2; ++round) add(block, {}, twice);
  for (std::size_t i = 0; i < once.windows.size(); ++i) ASSERT_EQ(twice.windows[i], 2 * once.windows[i]);
  for (std::size_t i = 0; i < once.histograms.size(); ++i)
    ASSERT_EQ(twice.histograms[i], 2 * once.histograms[i]);
  for (std::size_t i = 0; i < once.products.size(); ++i)
    EXPECT_NEAR(twice.products[i], 2 * once.products[i], 1e-12);
}

TEST_P(WeightBlockTest, NothingIsCountedOrSketchedUnlessThereIsAPlace) {
  BlockCase block(2, false);
  for (std::size_t c = 0; c < 2; ++c)
    block.set_floats(c, normal_values<float>(length, static_cast<unsigned>(c)));
  BlockTotals sums(2);
  BlockSums places = sums.places();
  places.windows = nullptr, places.histograms = nullptr, places.steps = nullptr;
  BlockRoom room(2);
  add_block({block.rows, block.patterns.data(), nullptr}, {}, places, room);
  expect_products(block, sums);
}

TEST_P(WeightBlockTest, AWindowIsFoldedAndCleared) {
  Aligned<float> window(window_length);
  for (std::size_t i = 0; i < window_length; ++i) window[i] = static_cast<float>(i);
  std::vector<double> sums(sketch_size, 0.5);
  fold_window(window.data(), sums);
  for (std::size_t i = 0; i < sketch_size; ++i)
    ASSERT_EQ(sums[i], 0.5 + static_cast<double>(2 * i + sketch_size));
  EXPECT_EQ(std::ranges::count(window, 0.0f), static_cast<std::ptrdiff_t>(window_length));
}

INSTANTIATE_TEST_SUITE_P(Targets, WeightBlockTest, testing::ValuesIn(instruction_sets()),
                         instruction_set_name);

}  // namespace
}  // namespace moescope
