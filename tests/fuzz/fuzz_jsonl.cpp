#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "readers/corpus/corpus_record.h"
#include "readers/errors.h"
#include "readers/text/utf8.h"

// Any bytes as a line of a .jsonl corpus.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string domain_key = "/meta/pile_set_name";
  try {
    const auto record = moescope::parse_corpus_record({reinterpret_cast<const char*>(data), size}, "/text/0",
                                                      &domain_key, "a.jsonl: line 1");
    if (moescope::first_invalid_utf8(record.text) != record.text.size()) __builtin_trap();
  } catch (const moescope::InputError&) {
  }
  return 0;
}
