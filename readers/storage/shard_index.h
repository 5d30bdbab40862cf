#pragma once
/// model.safetensors.index.json: which shard of a checkpoint holds which tensor.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moescope {

struct ShardIndex {
  std::map<std::string, std::string> shard_of;  // by tensor; plain names of files beside the index
  std::optional<double> total_size;             // bytes, as the writer counted them; some write 1e9

  /// The shard that holds a tensor; null if the index does not name it.
  const std::string* find(const std::string& tensor) const;
  /// Ascending, each once.
  std::vector<std::string> shards() const;
};

/// Throws FormatError: bad JSON, no weight_map, a shard's name that leads out of the directory. Thread-safe.
ShardIndex parse_shard_index(std::string_view json, const std::string& file);

}  // namespace moescope
