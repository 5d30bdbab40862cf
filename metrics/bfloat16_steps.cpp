#include "metrics/bfloat16_steps.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdlib>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

namespace moescope {
namespace {

constexpr std::int32_t middle = step_bins_of_a_sign;
constexpr std::int32_t first_range = 16;  // step counts below it have a bin each
constexpr std::int32_t step_limit = 65536;
constexpr std::int32_t infinity = 0x7f80;

/// By bin and counter; a last bin for non-finite elements. Most elements of slow training fall into one bin:
/// eight counters of it take turns, so that none waits for its own last increment.
constexpr std::size_t counters = 8;
constexpr std::size_t nonfinite_bin = step_bins;
using CounterTable = std::array<std::array<std::int64_t, counters>, step_bins + 1>;

std::int32_t bin_of(std::int32_t steps) {
  const std::int32_t size = std::abs(steps);
  const std::int32_t octaves =  // above first_range
      static_cast<std::int32_t>(std::bit_width(static_cast<std::uint32_t>(size / first_range))) - 1;
  const std::int32_t from_middle = size < first_range ? size : first_range + octaves;
  return middle + (steps < 0 ? -from_middle : from_middle);
}

/// The bin of steps + step_limit; 0, which no step count reaches, stands for non-finite elements.
std::vector<std::uint8_t> bins_of_all_steps() {
  std::vector<std::uint8_t> bins(2 * step_limit);
  for (std::int32_t steps = 1 - step_limit; steps < step_limit; ++steps)
    bins[static_cast<std::size_t>(steps + step_limit)] = static_cast<std::uint8_t>(bin_of(steps));
  bins[0] = nonfinite_bin;
  return bins;
}

/// The index into bins_of_all_steps. Without a branch, so that the compiler uses vectors: `negative` and
/// `finite` have all bits set or none.
std::int32_t step_index(std::uint16_t earlier, std::uint16_t later) {
  const auto magnitude = [](std::uint16_t element) -> std::int32_t { return element & 0x7fff; };
  const auto place = [&](std::uint16_t element) {
    const std::int32_t negative = -(element >> 15);
    return (magnitude(element) ^ negative) - negative;
  };
  const std::int32_t finite = ((magnitude(earlier) - infinity) & (magnitude(later) - infinity)) >> 31;
  return (place(later) - place(earlier) + step_limit) & finite;
}

}  // namespace

StepRange step_range(std::size_t bin) {
  assert(bin < step_bins);
  const std::int32_t from_middle = static_cast<std::int32_t>(bin) - middle;
  const std::int32_t size = std::abs(from_middle), sign = from_middle < 0 ? -1 : 1;
  if (size < first_range) return {from_middle, from_middle};
  const std::int32_t nearest = first_range << (size - first_range);
  return {sign * nearest, sign * (2 * nearest - 1)};
}

std::size_t step_bin(std::int32_t steps) {
  assert(std::abs(steps) < step_limit);
  return static_cast<std::size_t>(bin_of(steps));
}

void Bfloat16Steps::add(std::span<const std::uint16_t> earlier, std::span<const std::uint16_t> later) {
  assert(earlier.size() == later.size());
  static const std::vector<std::uint8_t> bins = bins_of_all_steps();
  CounterTable table{};
  std::array<std::int32_t, 512> indices;  // of a block: by vectors, then one by one
  for (std::size_t first = 0; first < earlier.size(); first += indices.size()) {
    const std::size_t count = std::min(indices.size(), earlier.size() - first);
    const std::uint16_t *from = &earlier[first], *to = &later[first];
    for (std::size_t i = 0; i < count; ++i) indices[i] = step_index(from[i], to[i]);
    const std::uint8_t* const bin_at = bins.data();
#pragma GCC unroll 8
    for (std::size_t i = 0; i < count; ++i)
      ++table[bin_at[static_cast<std::size_t>(indices[i])]][i % counters];
  }
  const auto total = [&](std::size_t bin) {
    return std::accumulate(table[bin].begin(), table[bin].end(), std::int64_t{0});
  };
  for (std::size_t bin = 0; bin < step_bins; ++bin) counts[bin] += total(bin);
  nonfinite_count += total(nonfinite_bin);
}

void Bfloat16Steps::merge(const Bfloat16Steps& other) {
  std::transform(counts.begin(), counts.end(), other.counts.begin(), counts.begin(), std::plus<>());
  nonfinite_count += other.nonfinite_count;
}

double fraction_changed(const Bfloat16Steps& steps) {
  const std::int64_t all = std::accumulate(steps.counts.begin(), steps.counts.end(), std::int64_t{0});
  if (all == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(all - steps.counts[middle]) / static_cast<double>(all);
}

}  // namespace moescope
