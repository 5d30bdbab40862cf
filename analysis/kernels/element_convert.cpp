#include "analysis/kernels/element_convert.h"

#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "analysis/kernels/product_kernels.h"

namespace moescope {
namespace {

template <class Stored, class Expand>
void convert_each(std::span<const std::byte> bytes, std::span<float> values, Expand expand) {
  assert(bytes.size() == values.size() * sizeof(Stored));
  const std::byte* source = bytes.data();
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, source + i * sizeof(Stored), sizeof(Stored));
    values[i] = expand(stored);
  }
}

float bfloat16_value(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

/// IEEE 754 binary16. A float holds every half exactly: shift into place and rescale the exponent by a
/// product; infinities and NaN need their exponent set by hand.
float float16_value(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
  const std::uint32_t magnitude = std::uint32_t{bits & 0x7fffu} << 13;
  const float scaled = std::bit_cast<float>(magnitude) * 0x1p112f;
  const bool finite = (bits & 0x7c00u) != 0x7c00u;
  const std::uint32_t value = finite ? std::bit_cast<std::uint32_t>(scaled) : magnitude | 0x7f800000u;
  return std::bit_cast<float>(sign | value);
}

/// Two to a byte, the low half first (OCP Microscaling Formats 1.0, E2M1): 0 0.5 1 1.5 2 3 4 6, and their
/// negatives.
void convert_halves(std::span<const std::byte> bytes, std::span<float> values) {
  constexpr float sizes[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto byte = std::to_integer<unsigned>(bytes[i / 2]);
    values[i] = sizes[i % 2 == 0 ? byte & 15 : byte >> 4];
  }
}

/// Blocks of an F16 scale and 32 signed bytes (ggml-common.h of llama.cpp, block_q8_0).
void convert_scaled_bytes(std::span<const std::byte> bytes, std::span<float> values) {
  constexpr std::size_t block = 32, scale_bytes = 2;
  assert(values.size() % block == 0);
  const std::byte* source = bytes.data();
  for (float* value = values.data(); value != values.data() + values.size(); value += block) {
    std::uint16_t bits;
    std::int8_t numbers[block];
    std::memcpy(&bits, source, sizeof bits);
    std::memcpy(numbers, source + scale_bytes, sizeof numbers);
    const float scale = float16_value(bits);
    for (std::size_t i = 0; i < block; ++i) value[i] = scale * static_cast<float>(numbers[i]);
    source += scale_bytes + block;
  }
}

/// A power of two (OCP Microscaling Formats 1.0, E8M0); 255 is NaN.
float float8_power(std::uint8_t exponent) {
  if (exponent == 255) return std::numeric_limits<float>::quiet_NaN();
  return std::ldexp(1.0f, int{exponent} - 127);
}

}  // namespace

void convert_to_float(DType dtype, std::span<const std::byte> bytes, std::span<float> values) {
  switch (dtype) {
    case DType::bf16:
      return convert_each<std::uint16_t>(bytes, values, bfloat16_value);
    case DType::f16:
      return convert_each<std::uint16_t>(bytes, values, float16_value);
    case DType::f4:
      return convert_halves(bytes, values);
    case DType::f8_e8m0:
      return convert_each<std::uint8_t>(bytes, values, float8_power);
    case DType::q8_0:
      return convert_scaled_bytes(bytes, values);
    case DType::f8_e4m3:
      assert(bytes.size() == values.size());
      return expand_float8(bytes.data(), values.size(), 1, values.data());
    case DType::f32:
      return convert_each<float>(bytes, values, [](float value) { return value; });
    default:
      throw std::logic_error("no weight is stored in this dtype; others are refused when a model is opened");
  }
}

}  // namespace moescope
