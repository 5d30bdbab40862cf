#pragma once
/// One checkpoint as one set of named tensors: a directory in Hugging Face layout, or a model in GGUF.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "readers/files/source_file.h"
#include "readers/model/model_config.h"
#include "readers/storage/shard_header.h"

namespace moescope {

/// A tensor and the shard that holds it.
struct StoredTensor {
  TensorInfo info;
  std::size_t shard = 0;
};

/// Opens and validates everything except the tensor data itself. Thread-safe once constructed.
class Checkpoint {
 public:
  /// `path` is a directory, or one of the GGUF files of a model: then it and its other parts are read. Reads
  /// config.json, the index if there is one, and the header of every shard; a GGUF file's metadata are in the
  /// place of a config.json, even of one that lies beside it. Where there is an index, it
  /// decides: copies of a tensor in other shards than it names are superseded, and files that it does not
  /// name are not read. Throws FormatError, UnsupportedModel, std::system_error. Problems that do not stop an
  /// analysis (a wrong total_size, superseded copies, weights that are not read) become `notes()`, which name
  /// files as they are called inside the directory.
  static Checkpoint open(const std::filesystem::path& path);
  /// By other families than those that moescope knows; they must outlive the checkpoint.
  static Checkpoint open(const std::filesystem::path& path, std::span<const Family> families);

  /// As it was opened: a directory, or a GGUF file.
  const std::filesystem::path& path() const { return path_; }
  /// In which the shards lie.
  const std::filesystem::path& directory() const { return directory_; }
  ShardFormat format() const { return format_; }
  /// As config.json says, but for tie_word_embeddings: false where a head of its own is stored all the same.
  const ModelConfig& config() const { return config_; }
  /// As read; of a GGUF file the one that its metadata amount to.
  const std::string& config_json() const { return config_json_; }
  /// Of a GGUF file; else empty.
  const GgufMetadata& gguf_metadata() const { return gguf_metadata_; }
  const std::vector<SourceFile>& shards() const { return shards_; }
  const std::vector<std::string>& notes() const { return notes_; }

  /// Every stored tensor by name, superseded copies excepted.
  const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }
  /// Empty when there is none.
  const StoredTensor* find(std::string_view name) const;

  /// Sum of the tensors' bytes; those that several share (tied weights in PyTorch's format) count once.
  std::uint64_t bytes() const { return bytes_; }
  /// SHA-256 over config.json (of GGUF, the metadata are part of a header), the index, shard names, sizes and
  /// headers, and samples of every tensor: those of up to 64 KiB whole, of larger ones 256 bytes in the
  /// middle of every 16 MiB. It changes when the checkpoint does, without all of its data having been read,
  /// and not with its place or its times.
  const std::string& fingerprint() const { return fingerprint_; }
  /// Of each shard one line, "BYTES MODIFIED INODE 'NAME'", the time in nanoseconds since 1970: with the
  /// path, it tells that a file has been written to even where no sample was.
  std::string file_stamps() const;
  /// Throws std::system_error if a shard has been written to since the checkpoint was opened.
  void require_unchanged() const;
  /// directory()/tokenizer.json if it exists, else empty.
  std::filesystem::path tokenizer_path() const;

 private:
  struct Assembly;
  Checkpoint() = default;
  std::filesystem::path path_, directory_;
  ShardFormat format_ = ShardFormat::safetensors;
  ModelConfig config_;
  std::string config_json_;
  GgufMetadata gguf_metadata_;
  std::vector<SourceFile> shards_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
  std::vector<std::string> notes_;
  std::uint64_t bytes_ = 0;
  std::string fingerprint_;
};

}  // namespace moescope
