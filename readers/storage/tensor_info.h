#pragma once
/// Where a file of weights holds a tensor, whatever the file's format.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "readers/storage/dtype.h"

namespace moescope {

struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;  // row-major, outermost first; empty for a scalar
  std::uint64_t offset = 0;          // of the first byte, from the start of the file
  std::uint64_t bytes = 0;
};

/// "[128, 4096]".
std::string format_shape(const std::vector<std::uint64_t>& shape);

/// "tensor 'NAME'", for messages.
std::string tensor_thing(const std::string& name);

/// Bits of a tensor of this shape; empty where they do not fit 64 bits, or rows are no whole blocks.
std::optional<std::uint64_t> checked_bits(const std::vector<std::uint64_t>& shape, DType dtype);

}  // namespace moescope
