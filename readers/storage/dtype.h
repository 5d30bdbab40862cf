#pragma once
/// Element types of tensors, under the names that safetensors has for them.

#include <cstdint>
#include <optional>
#include <string_view>

namespace moescope {

enum class DType : std::uint8_t {
  boolean,
  f4,
  f6_e2m3,
  f6_e3m2,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64,
};

/// The name in a safetensors header, e.g. "BF16".
std::string_view dtype_name(DType dtype);
/// Empty for an unknown name.
std::optional<DType> parse_dtype(std::string_view name);
/// Bits of one element.
unsigned dtype_bits(DType dtype);
/// True for BF16, F16 and F32: the types in which weights are read.
bool is_weight_dtype(DType dtype);
/// True for F8_E4M3: numbers that are weights only with their scales.
bool is_quantised_dtype(DType dtype);

}  // namespace moescope
