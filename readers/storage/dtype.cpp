#include "readers/storage/dtype.h"

#include <array>
#include <cstddef>

namespace moescope {
namespace {

struct DTypeEntry {
  std::string_view name;
  DTypeBlock block;
};

// In the order of DType.
constexpr std::array<DTypeEntry, 23> dtypes{{
    {"BOOL", {1, 8}},
    {"F4", {1, 4}},
    {"F6_E2M3", {1, 6}},
    {"F6_E3M2", {1, 6}},
    {"U8", {1, 8}},
    {"I8", {1, 8}},
    {"F8_E5M2", {1, 8}},
    {"F8_E4M3", {1, 8}},
    {"F8_E8M0", {1, 8}},
    {"F8_E4M3FNUZ", {1, 8}},
    {"F8_E5M2FNUZ", {1, 8}},
    {"I16", {1, 16}},
    {"U16", {1, 16}},
    {"F16", {1, 16}},
    {"BF16", {1, 16}},
    {"I32", {1, 32}},
    {"U32", {1, 32}},
    {"F32", {1, 32}},
    {"C64", {1, 64}},
    {"F64", {1, 64}},
    {"I64", {1, 64}},
    {"U64", {1, 64}},
    {"Q8_0", {32, 16 + 32 * 8}},
}};
static_assert(static_cast<std::size_t>(DType::q8_0) + 1 == dtypes.size());

const DTypeEntry& entry(DType dtype) {
  return dtypes[static_cast<std::size_t>(dtype)];
}

}  // namespace

std::string_view dtype_name(DType dtype) {
  return entry(dtype).name;
}

std::optional<DType> parse_dtype(std::string_view name) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(DType::q8_0); ++i) {
    if (dtypes[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

DTypeBlock dtype_block(DType dtype) {
  return entry(dtype).block;
}

std::uint64_t dtype_bytes(DType dtype, std::uint64_t elements) {
  const DTypeBlock block = dtype_block(dtype);
  return elements / block.elements * block.bits / 8;
}

std::uint64_t dtype_elements(DType dtype, std::uint64_t bytes) {
  const DTypeBlock block = dtype_block(dtype);
  return bytes * 8 / block.bits * block.elements;
}

bool is_quantised_dtype(DType dtype) {
  return dtype == DType::f8_e4m3;
}

bool is_weight_dtype(DType dtype) {
  return dtype == DType::bf16 || dtype == DType::f16 || dtype == DType::f32 || dtype == DType::q8_0;
}

}  // namespace moescope
