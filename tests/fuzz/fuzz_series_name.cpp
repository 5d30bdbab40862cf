#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "readers/series.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto progress = moescope::parse_checkpoint_name({reinterpret_cast<const char*>(data), size});
  for (const double value : {progress.tokens, progress.step}) {
    if (std::isinf(value) || value < 0) __builtin_trap();
  }
  return 0;
}
