#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/storage/torch_bin.h"

// Any bytes as a .bin file; a tensor that is accepted lies in it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int descriptor = ::memfd_create("fuzz", 0);
  if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, data, size, 0) != static_cast<ssize_t>(size))
    __builtin_trap();
  try {
    const moescope::SourceFile file("/proc/self/fd/" + std::to_string(descriptor));
    for (const moescope::TensorInfo& tensor : moescope::read_torch_bin_header(file).tensors) {
      if (!moescope::ends_within(tensor.offset, tensor.bytes, size)) __builtin_trap();
      if (moescope::checked_bits(tensor.shape, tensor.dtype) != 8 * tensor.bytes) __builtin_trap();
    }
  } catch (const moescope::FormatError&) {
  }
  return 0;
}
