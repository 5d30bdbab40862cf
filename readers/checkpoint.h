#pragma once
/// One checkpoint: a directory in Hugging Face layout as one set of named tensors.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "readers/model_config.h"
#include "readers/safetensors.h"
#include "readers/source_file.h"

namespace moescope {

/// A tensor and the shard that holds it.
struct StoredTensor {
  TensorInfo info;
  std::size_t shard = 0;
};

/// Opens and validates everything except the tensor data itself. Thread-safe once constructed.
class Checkpoint {
 public:
  /// Reads config.json, the index if there is one, and the header of every shard.
  /// Throws FormatError, UnsupportedModel, std::system_error. Problems that do not stop an analysis
  /// (a wrong total_size, skipped layers) become `notes()`.
  static Checkpoint open(const std::filesystem::path& directory);

  const std::filesystem::path& directory() const { return directory_; }
  const ModelConfig& config() const { return config_; }
  const std::string& config_json() const { return config_json_; }
  const std::vector<SourceFile>& shards() const { return shards_; }
  const std::vector<std::string>& notes() const { return notes_; }

  /// Every stored tensor by name.
  const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }
  /// Empty when there is none.
  const StoredTensor* find(std::string_view name) const;

  /// Sum of the tensors' bytes.
  std::uint64_t bytes() const { return bytes_; }
  /// SHA-256 over config.json, the index, shard names, sizes and headers, and 4 KiB at the start, middle and
  /// end of each shard's data: changes when the checkpoint does, without its data being read.
  const std::string& fingerprint() const { return fingerprint_; }
  /// Throws std::system_error if a shard has been written to since the checkpoint was opened.
  void require_unchanged() const;
  /// directory()/tokenizer.json if it exists, else empty.
  std::filesystem::path tokenizer_path() const;

 private:
  struct Assembly;
  Checkpoint() = default;
  std::filesystem::path directory_;
  ModelConfig config_;
  std::string config_json_;
  std::vector<SourceFile> shards_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
  std::vector<std::string> notes_;
  std::uint64_t bytes_ = 0;
  std::string fingerprint_;
};

}  // namespace moescope
