#pragma once
/// The header of one safetensors shard. This is the only code that trusts no byte of a shard:
/// whatever it accepts, the rest of the program may read without further checks.
/// Format: https://huggingface.co/docs/safetensors (the rules are listed, in order, in safetensors.cpp).

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "readers/storage/dtype.h"

namespace moescope {

class SourceFile;

/// One entry of a shard's header.
struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;  // row-major, outermost first; empty for a scalar
  std::uint64_t offset = 0;          // of the first byte, from the start of the file
  std::uint64_t bytes = 0;
};

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // sorted by offset; they cover the byte buffer without hole or overlap
  std::map<std::string, std::string> metadata;
  std::uint64_t header_bytes = 0;  // 8 + N: where the byte buffer begins
};

/// Parses the JSON header `json` of a shard whose byte buffer is `buffer_bytes` long. `file` names it in
/// messages. Throws FormatError. Thread-safe.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t buffer_bytes,
                                           const std::string& file);

/// The N bytes of an open shard's JSON header, unparsed. Throws FormatError when the shard cannot hold them,
/// std::system_error. Thread-safe.
std::string read_safetensors_header_text(const SourceFile& shard);

/// Reads and parses the header of an open shard. Throws FormatError, std::system_error. Thread-safe.
SafetensorsHeader read_safetensors_header(const SourceFile& shard);

/// "[128, 4096]".
std::string format_shape(const std::vector<std::uint64_t>& shape);

}  // namespace moescope
