#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "readers/errors.h"
#include "readers/tokenizer/tokenizer.h"

// Any bytes as tokenizer.json; one that is accepted gives every text back, or puts a space in front of it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto tokenizer =
        moescope::Tokenizer::parse({reinterpret_cast<const char*>(data), size}, "tokenizer.json");
    const std::string_view text =
        "The same 12 words,\n\n  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    const std::string decoded = tokenizer.decode(tokenizer.encode(text).ids);
    if (decoded != text && decoded != ' ' + std::string(text)) __builtin_trap();
  } catch (const moescope::InputError&) {
  }
  return 0;
}
