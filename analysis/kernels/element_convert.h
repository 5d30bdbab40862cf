#pragma once
/// Stored elements to float32 and back.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "analysis/kernels/product_kernels.h"
#include "readers/storage/dtype.h"

namespace moescope {

/// Expands BF16, F16, F32, F8_E4M3, F4 or F8_E8M0 elements, exactly; quantised ones are not yet scaled. Those
/// of Q8_0, whole blocks, are: the product is rounded to float32. `bytes` holds values.size() elements and
/// may be unaligned. Thread-safe.
void convert_to_float(DType dtype, std::span<const std::byte> bytes, std::span<float> values);

/// The nearest bfloat16 value, ties to even; NaN stays NaN.
inline float round_to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u;
  return std::bit_cast<float>(value == value ? rounded : bits | 0x00400000u);
}

/// The bfloat16 number that a float32 one begins with: the number itself where it is one.
inline Bfloat16 upper_half(float value) {
  return static_cast<Bfloat16>(std::bit_cast<std::uint32_t>(value) >> 16);
}

}  // namespace moescope
