#include <cstddef>
#include <cstdint>
#include <string_view>

#include "readers/errors.h"
#include "readers/storage/shard_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    moescope::parse_shard_index({reinterpret_cast<const char*>(data), size}, "index");
  } catch (const moescope::FormatError&) {
  }
  return 0;
}
