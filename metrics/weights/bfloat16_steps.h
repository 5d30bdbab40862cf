#pragma once
/// How far the elements of a bfloat16 tensor moved between two versions, in steps of the last place.
///
/// A step leads to the next representable value: an element's place is its pattern below the sign bit,
/// negated for negative values, and a step count is the difference of two places, later minus earlier. So
/// steps keep the order of the values across the sign, and -0 and +0 share the place 0: they are equal as
/// numbers, and turning one into the other is no change. From the least negative value to the least positive
/// are two steps.
///
/// Counts are integers: any cutting of a tensor, in any order, gives the same. All functions are pure and
/// thread-safe on different objects.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace moescope {

/// Bins of one sign: 1, 2 … 15 steps one by one, then 16-31, 32-63 … 32768-65535 (no finite values are
/// further than 65,278 apart).
inline constexpr std::size_t step_bins_of_a_sign = 27;
inline constexpr std::size_t step_bins = 2 * step_bins_of_a_sign + 1;

/// Smallest and largest step count of a bin, smallest by size first: {0, 0}, {-3, -3}, {16, 31}, {-16, -31}.
struct StepRange {
  std::int32_t nearest = 0, farthest = 0;
};
StepRange step_range(std::size_t bin);
/// The bin of a step count, ascending from -65,535 in bin 0 over 0 in the middle bin to 65,535 in the last.
std::size_t step_bin(std::int32_t steps);

struct Bfloat16Steps {
  std::array<std::int64_t, step_bins> counts{};  // elements finite in both versions, by step_bin
  std::int64_t nonfinite_count = 0;              // elements infinite or NaN in either, changed or not

  /// Elements of both versions in the same places: bit patterns as stored, in the byte order of this machine.
  void add(std::span<const std::uint16_t> earlier, std::span<const std::uint16_t> later);
  void merge(const Bfloat16Steps& other);
};

/// Share of the elements finite in both versions that have another value; NaN when there is none.
double fraction_changed(const Bfloat16Steps& steps);

}  // namespace moescope
