#include "metrics/weights/bfloat16_steps.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdlib>
#include <functional>
#include <limits>
#include <numeric>

namespace moescope {
namespace {

constexpr std::int32_t middle = step_bins_of_a_sign;
constexpr std::int32_t first_range = 16;  // step counts below it have a bin each
constexpr std::int32_t step_limit = 65536;

std::int32_t bin_of(std::int32_t steps) {
  const std::int32_t size = std::abs(steps);
  const std::int32_t octaves =  // above first_range
      static_cast<std::int32_t>(std::bit_width(static_cast<std::uint32_t>(size / first_range))) - 1;
  const std::int32_t from_middle = size < first_range ? size : first_range + octaves;
  return middle + (steps < 0 ? -from_middle : from_middle);
}

bool is_finite(std::uint16_t element) {
  return (element & 0x7f80) != 0x7f80;
}

/// Steps from zero.
std::int32_t place_of(std::uint16_t element) {
  const std::int32_t magnitude = element & 0x7fff;
  return element >> 15 != 0 ? -magnitude : magnitude;
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
  for (std::size_t i = 0; i < earlier.size(); ++i) {
    if (is_finite(earlier[i]) && is_finite(later[i])) {
      ++counts[step_bin(place_of(later[i]) - place_of(earlier[i]))];
    } else {
      ++nonfinite_count;
    }
  }
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
