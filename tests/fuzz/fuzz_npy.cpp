#include <cstddef>
#include <cstdint>
#include <string_view>

#include "readers/errors.h"
#include "readers/files/npy.h"

// Any bytes as a .npy file; the elements of one that is accepted fill it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto header =
        moescope::parse_npy_header({reinterpret_cast<const char*>(data), size}, size, "a.npy");
    if (header.data_offset + header.rows * header.row_bytes() != size) __builtin_trap();
  } catch (const moescope::InputError&) {
  }
  return 0;
}
