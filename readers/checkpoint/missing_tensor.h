#pragma once
/// Why a tensor that the model needs is not there: what lies in its place.

#include <string>

#include "readers/checkpoint/checkpoint.h"

namespace moescope {

struct MissingTensor {
  std::string found;  // "it is stored as 'module.model.norm.weight'"; empty where nothing tells
  std::string hint;   // may be empty
};

/// For the tensor `name` of a checkpoint, which is not stored. Reads headers once more. Throws
/// std::system_error.
MissingTensor explain_missing(const Checkpoint& checkpoint, const std::string& name);

}  // namespace moescope
