#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/model/gguf_config.h"
#include "readers/storage/gguf.h"

// Any bytes as a .gguf file; a tensor that is accepted lies in it, beside the others. Its metadata are a
// configuration, or are refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int descriptor = ::memfd_create("fuzz", 0);
  if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, data, size, 0) != static_cast<ssize_t>(size))
    __builtin_trap();
  try {
    const moescope::SourceFile file("/proc/self/fd/" + std::to_string(descriptor));
    const moescope::GgufHeader header = moescope::read_gguf_header(file);
    std::uint64_t end = header.text.size();
    for (const moescope::TensorInfo& tensor : header.tensors) {
      if (tensor.offset < end || !moescope::ends_within(tensor.offset, tensor.bytes, size)) __builtin_trap();
      if (moescope::checked_bits(tensor.shape, tensor.dtype) != 8 * tensor.bytes) __builtin_trap();
      end = tensor.offset + tensor.bytes;
    }
    const moescope::FindTensor find = [&](std::string_view name) {
      const auto found = std::ranges::find(header.tensors, name, &moescope::TensorInfo::name);
      return found == header.tensors.end() ? nullptr : &*found;
    };
    const moescope::ReadTensor read = [&](const moescope::TensorInfo& tensor) {
      std::vector<float> values(tensor.bytes / sizeof(float));
      file.read(tensor.offset, std::as_writable_bytes(std::span(values)));
      return values;
    };
    const std::string json =
        moescope::gguf_config_json(header.metadata, find, read, "model.gguf", moescope::known_families());
    moescope::require_as_told(header.metadata, moescope::parse_model_config(json, "model.gguf"),
                              "model.gguf");
  } catch (const moescope::InputError&) {
  }
  return 0;
}
