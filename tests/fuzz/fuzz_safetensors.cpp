#include <cstddef>
#include <cstdint>
#include <string_view>

#include "readers/errors.h"
#include "readers/storage/safetensors.h"

// The first two bytes are the length of the byte buffer, the others the header.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::uint64_t buffer_bytes = data[0] + 256u * data[1];
  try {
    const auto header = moescope::parse_safetensors_header(
        {reinterpret_cast<const char*>(data) + 2, size - 2}, buffer_bytes, "fuzz");
    std::uint64_t end = header.header_bytes;
    for (const moescope::TensorInfo& tensor : header.tensors) {
      if (tensor.offset != end) __builtin_trap();
      end += tensor.bytes;
    }
    if (end != header.header_bytes + buffer_bytes) __builtin_trap();
  } catch (const moescope::FormatError&) {
  }
  return 0;
}
