#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "readers/errors.h"
#include "readers/files/text_file.h"
#include "tests/support/temporary_directory.h"

// The first byte chooses the compression, the rest are the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const moescope::TemporaryDirectory directory;
  const auto path = directory / (data[0] % 2 == 0 ? "text.gz" : "text.zst");
  moescope::write_file(path, {reinterpret_cast<const char*>(data) + 1, size - 1});
  try {
    moescope::TextFile file(path);
    for (std::string line; file.read_line(line);) {
    }
  } catch (const moescope::InputError&) {
  }
  return 0;
}
