#pragma once
/// Element types of tensors, under the names that safetensors has for them, and GGUF for Q8_0.

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
  q8_0,  // of GGUF: 32 signed bytes behind the F16 number by which they are multiplied
};

/// What is stored together: one element, but for Q8_0.
struct DTypeBlock {
  unsigned elements, bits;
};

/// The name in a safetensors header, e.g. "BF16"; "Q8_0".
std::string_view dtype_name(DType dtype);
/// Empty for a name that safetensors does not have.
std::optional<DType> parse_dtype(std::string_view name);
DTypeBlock dtype_block(DType dtype);
/// Of so many elements, which are whole blocks and fill whole bytes.
std::uint64_t dtype_bytes(DType dtype, std::uint64_t elements);
/// In so many bytes.
std::uint64_t dtype_elements(DType dtype, std::uint64_t bytes);
/// True for BF16, F16, F32 and Q8_0: the types that are weights by themselves.
bool is_weight_dtype(DType dtype);
/// True for F8_E4M3: numbers that are weights only with their scales.
bool is_quantised_dtype(DType dtype);

}  // namespace moescope
