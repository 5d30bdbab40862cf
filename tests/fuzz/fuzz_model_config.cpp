#include <cstddef>
#include <cstdint>
#include <string_view>

#include "readers/errors.h"
#include "readers/model/model_config.h"
#include "readers/model/parameter_count.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto config = moescope::parse_model_config({reinterpret_cast<const char*>(data), size}, "config");
    const auto count = moescope::count_parameters(config);  // overflows nothing in a config that was accepted
    if (count.active > count.total || count.active == 0) __builtin_trap();
    for (const auto layer : config.moe_layers()) config.attention.window_in(layer);
  } catch (const moescope::InputError&) {
  }
  return 0;
}
