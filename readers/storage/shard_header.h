#pragma once
/// The header of one file of weights, in whichever of the formats it is.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "readers/storage/gguf.h"
#include "readers/storage/tensor_info.h"

namespace moescope {

class SourceFile;

enum class ShardFormat : std::uint8_t { safetensors, torch_bin, gguf };

/// "safetensors", "PyTorch .bin", "GGUF".
std::string_view format_name(ShardFormat format);
/// By the file's name: .bin is PyTorch's, .gguf llama.cpp's, all others are taken for safetensors.
ShardFormat shard_format(const std::filesystem::path& file);

/// Whether a file is called as a shard that is no checkpoint by itself: .safetensors, .bin.
bool is_shard_name(const std::filesystem::path& file);

struct ShardHeader {
  std::string text;                             // what describes the tensors, as stored: JSON, a pickle ...
  std::uint64_t header_bytes = 0;               // of that description, with its length where one is stored
  std::vector<TensorInfo> tensors;              // sorted by offset
  std::map<std::string, std::string> metadata;  // of safetensors
  GgufMetadata gguf;                            // those of GGUF
};

/// Reads and validates the header of an open shard. Throws FormatError, std::system_error. Thread-safe.
ShardHeader read_shard_header(const SourceFile& shard);

}  // namespace moescope
