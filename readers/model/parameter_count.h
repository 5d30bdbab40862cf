#pragma once
/// How many parameters a model has.

#include <cstdint>

#include "readers/model/model_config.h"

namespace moescope {

/// Total parameters and those a token activates (both embeddings counted, as in the dots.llm1 report),
/// from the configuration alone.
struct ParameterCount {
  std::uint64_t total = 0, active = 0;
};
ParameterCount count_parameters(const ModelConfig& config);

}  // namespace moescope
