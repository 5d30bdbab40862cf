#include <cstddef>
#include <cstdint>
#include <string_view>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/storage/torch_pickle.h"

// Any bytes as the pickle of a state dict; a tensor that is accepted lies in its storage.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto tensors =
        moescope::parse_torch_pickle({reinterpret_cast<const char*>(data), size}, "pytorch_model.bin");
    for (const moescope::PickledTensor& tensor : tensors) {
      const auto& [name, dtype, shape, offset, bytes] = tensor.info;
      if (!moescope::ends_within(offset, bytes, tensor.storage_bytes)) __builtin_trap();
      if (moescope::checked_bits(shape, dtype) != 8 * bytes) __builtin_trap();
      if (name.empty()) __builtin_trap();
    }
  } catch (const moescope::FormatError&) {
  }
  return 0;
}
