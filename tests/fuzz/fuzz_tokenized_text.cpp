#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "readers/errors.h"
#include "readers/tokenizer/tokenizer.h"

namespace {

void require_good_tokens(const moescope::Tokenizer& tokenizer, std::string_view text) {
  const auto tokens = tokenizer.encode(text);
  if (!std::is_sorted(tokens.offsets.begin(), tokens.offsets.end())) __builtin_trap();
  if (!tokens.offsets.empty() && (tokens.offsets.front() != 0 || tokens.offsets.back() >= text.size()))
    __builtin_trap();
  if (tokens.ids.empty() != text.empty()) __builtin_trap();
  tokenizer.decode(tokens.ids);
}

}  // namespace

// Any bytes as text of the tokenizer of the demo series, of one that splits by another pattern and of one
// over characters.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const moescope::Tokenizer tokenizers[] = {
      moescope::Tokenizer::load(MOESCOPE_SOURCE_DIR "/data/tiny-dots1/tiny-dots1-00T/tokenizer.json"),
      moescope::Tokenizer::load(MOESCOPE_SOURCE_DIR "/data/golden/tokenizers/bytes.json"),
      moescope::Tokenizer::load(MOESCOPE_SOURCE_DIR "/data/golden/tokenizers/characters.json")};
  try {
    for (const auto& tokenizer : tokenizers) {
      require_good_tokens(tokenizer, {reinterpret_cast<const char*>(data), size});
    }
  } catch (const moescope::InputError&) {
  }
  return 0;
}
