#pragma once
/// The header of one safetensors shard. Trusts no byte: whatever it accepts, the rest of the program may read
/// without further checks.
/// Format: https://huggingface.co/docs/safetensors (the rules are listed, in order, in safetensors.cpp).

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "readers/storage/tensor_info.h"

namespace moescope {

class SourceFile;

/// Of the number before the header that tells its length.
inline constexpr std::uint64_t safetensors_length_bytes = 8;

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

}  // namespace moescope
