#include "readers/storage/shard_header.h"

#include <utility>

#include "readers/files/source_file.h"
#include "readers/storage/safetensors.h"
#include "readers/storage/torch_bin.h"

namespace moescope {
namespace {

ShardHeader safetensors_shard(const SourceFile& shard) {
  std::string text = read_safetensors_header_text(shard);
  SafetensorsHeader header =
      parse_safetensors_header(text, shard.size() - safetensors_length_bytes - text.size(), shard.name());
  return {std::move(text), header.header_bytes, std::move(header.tensors), std::move(header.metadata), {}};
}

ShardHeader torch_bin_shard(const SourceFile& shard) {
  TorchBinHeader header = read_torch_bin_header(shard);
  const std::uint64_t bytes = header.pickle.size();
  return {std::move(header.pickle), bytes, std::move(header.tensors), {}, {}};
}

ShardHeader gguf_shard(const SourceFile& shard) {
  GgufHeader header = read_gguf_header(shard);
  const std::uint64_t bytes = header.text.size();
  return {std::move(header.text), bytes, std::move(header.tensors), {}, std::move(header.metadata)};
}

}  // namespace

std::string_view format_name(ShardFormat format) {
  constexpr std::string_view names[] = {"safetensors", "PyTorch .bin", "GGUF"};
  return names[static_cast<std::size_t>(format)];
}

ShardFormat shard_format(const std::filesystem::path& file) {
  if (file.extension() == ".gguf") return ShardFormat::gguf;
  return file.extension() == ".bin" ? ShardFormat::torch_bin : ShardFormat::safetensors;
}

bool is_shard_name(const std::filesystem::path& file) {
  return file.extension() == ".safetensors" || shard_format(file) == ShardFormat::torch_bin;
}

ShardHeader read_shard_header(const SourceFile& shard) {
  switch (shard_format(shard.name())) {
    case ShardFormat::torch_bin:
      return torch_bin_shard(shard);
    case ShardFormat::gguf:
      return gguf_shard(shard);
    case ShardFormat::safetensors:
      break;
  }
  return safetensors_shard(shard);
}

}  // namespace moescope
