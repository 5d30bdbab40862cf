#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "readers/errors.h"
#include "readers/tokenizer/tokenizer.h"

// Any bytes as text of the tokenizer of the demo series.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto tokenizer =
      moescope::Tokenizer::load(MOESCOPE_SOURCE_DIR "/data/tiny-dots1/tiny-dots1-00T/tokenizer.json");
  try {
    const auto tokens = tokenizer.encode({reinterpret_cast<const char*>(data), size});
    if (!std::is_sorted(tokens.offsets.begin(), tokens.offsets.end())) __builtin_trap();
    if (!tokens.offsets.empty() && (tokens.offsets.front() != 0 || tokens.offsets.back() >= size))
      __builtin_trap();
    if (tokens.ids.empty() != (size == 0)) __builtin_trap();
    tokenizer.decode(tokens.ids);
  } catch (const moescope::InputError&) {
  }
  return 0;
}
