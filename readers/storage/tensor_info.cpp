#include "readers/storage/tensor_info.h"

#include "readers/text/quoted_text.h"

namespace moescope {

std::string format_shape(const std::vector<std::uint64_t>& shape) {
  std::string text = "[";
  for (const std::uint64_t extent : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(extent);
  }
  return text + "]";
}

std::string tensor_thing(const std::string& name) {
  return "tensor " + single_quoted(name);
}

std::optional<std::uint64_t> checked_bits(const std::vector<std::uint64_t>& shape, DType dtype) {
  std::uint64_t bits = 1;
  for (const std::uint64_t extent : shape) {
    if (__builtin_mul_overflow(bits, extent, &bits)) return std::nullopt;
  }
  const DTypeBlock block = dtype_block(dtype);
  if (block.elements > 1 && (shape.empty() || shape.back() % block.elements != 0)) return std::nullopt;
  if (__builtin_mul_overflow(bits / block.elements, std::uint64_t{block.bits}, &bits)) return std::nullopt;
  return bits;
}

}  // namespace moescope
