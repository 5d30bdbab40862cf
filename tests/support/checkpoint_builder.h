#pragma once
/// Tiny, valid, random dots1 checkpoints in Hugging Face layout, and ways to break them.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/checkpoint_plan.h"

namespace moescope {

/// One tensor in memory. `data` holds the little-endian elements, row-major.
struct BuiltTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  std::string data;
};

/// A checkpoint before it is written: everything may be changed.
struct BuiltCheckpoint {
  nlohmann::ordered_json config;
  std::vector<BuiltTensor> tensors;  // in the order in which they are stored
  std::size_t shards = 1;

  /// Throws std::out_of_range when there is no such tensor.
  BuiltTensor& tensor(const std::string& name);
  void drop(const std::string& name);
  /// Writes config.json, the shards, and the index when there are several. Throws std::system_error.
  void write(const std::filesystem::path& directory) const;
};

BuiltCheckpoint build_checkpoint(const CheckpointOptions& options = {});

/// Values that depend on the seed and the tensor's name alone.
BuiltTensor build_tensor(const PlannedTensor& planned, std::uint64_t seed);

/// build_checkpoint and write in one.
void write_checkpoint(const std::filesystem::path& directory, const CheckpointOptions& options = {});

/// The bytes of one shard: header length, header, data. `metadata` goes into "__metadata__" unless null.
std::string safetensors_bytes(const std::vector<BuiltTensor>& tensors,
                              const nlohmann::ordered_json& metadata = {{"format", "pt"}});

/// A shard with this text as its header, followed by `buffer`.
std::string safetensors_bytes(std::string_view header, std::string_view buffer);

/// Numbers as elements of `dtype` (bf16 and f16 round to nearest even).
std::string encode_elements(const std::vector<float>& values, DType dtype);

/// Applies `edit` to a JSON file.
void edit_json(const std::filesystem::path& file, const std::function<void(nlohmann::ordered_json&)>& edit);

/// Applies `edit` to the header of a shard and leaves its byte buffer as it is.
void edit_header(const std::filesystem::path& shard, const std::function<void(std::string&)>& edit);

/// Applies `edit` to all bytes of a file.
void edit_bytes(const std::filesystem::path& file, const std::function<void(std::string&)>& edit);

}  // namespace moescope
