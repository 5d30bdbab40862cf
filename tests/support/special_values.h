#pragma once
/// Numbers that are none, and BF16 as patterns.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace moescope {

inline constexpr float infinity_f32 = std::numeric_limits<float>::infinity();
inline constexpr float nan_f32 = std::numeric_limits<float>::quiet_NaN();

namespace bf16 {

inline constexpr std::uint16_t zero = 0x0000, minus_zero = 0x8000, one = 0x3f80, minus_one = 0xbf80,
                               minus_two = 0xc000;
inline constexpr std::uint16_t smallest_denormal = 0x0001, minus_smallest_denormal = 0x8001,
                               minus_largest_denormal = 0x807f, smallest_normal = 0x0080, largest = 0x7f7f,
                               minus_largest = 0xff7f;
inline constexpr std::uint16_t infinity = 0x7f80, minus_infinity = 0xff80;
inline constexpr std::uint16_t quiet_nan = 0x7fc0, signalling_nan = 0xff81, nan_with_sign = 0xffc0;

}  // namespace bf16

/// Rounded to nearest, ties to even; the value is finite.
inline std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/// The nearest F8_E4M3 number, ties to even; what is too large becomes the largest. The value is finite.
inline std::uint8_t to_e4m3(float value) {
  const float magnitude = std::fabs(value);
  const int exponent = magnitude == 0 ? -6 : std::max(std::ilogb(magnitude), -6);
  const int units = static_cast<int>(std::nearbyint(std::ldexp(std::min(magnitude, 448.0f), 3 - exponent)));
  const int code = std::min(units + (exponent + 6) * 8, 0x7e);  // carries into the exponent
  return static_cast<std::uint8_t>(code | (std::signbit(value) ? 0x80 : 0));
}
}  // namespace moescope
