#pragma once
/// What a checkpoint is, in numbers: from its configuration and headers alone, no weight is read.

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/model/model_config.h"
#include "readers/model/parameter_count.h"
#include "readers/model/weight.h"

namespace moescope {

struct DTypeSummary {
  std::uint64_t tensors = 0, bytes = 0;
};

struct RoleSummary {
  RoleGroup group = RoleGroup::embedding;
  std::uint64_t weights = 0, parameters = 0, bytes = 0;
  std::vector<std::string> dtypes;  // names, each once
};

struct CheckpointSummary {
  std::string name;  // the directory's own name
  std::string path;
  ModelConfig config;
  ParameterCount parameters;
  std::uint64_t bytes = 0;  // of all stored tensors
  std::uint64_t tensors = 0;
  struct Shard {
    std::string file;
    std::uint64_t bytes = 0;
  };
  std::vector<Shard> shards;
  std::string format;  // of the shards: "safetensors"
  std::map<std::string, DTypeSummary> dtypes;
  std::vector<RoleSummary> roles;  // in the order of all_role_groups, only those that the model has
  std::string tokenizer;           // path, empty when there is none
  std::string fingerprint;
  std::vector<std::string> notes;
};

/// `weights` are those of the checkpoint. Notes name no checkpoint.
CheckpointSummary summarize(const Checkpoint& checkpoint, const ModelWeights& weights);

/// For people.
std::string text_of(const CheckpointSummary& summary);
/// For scripts: the same facts, sizes in bytes, numbers unrounded.
nlohmann::ordered_json json_of(const CheckpointSummary& summary);

}  // namespace moescope
