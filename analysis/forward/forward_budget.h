#pragma once
/// How a forward pass divides its memory between activations and weights on their way.

#include <cstddef>
#include <cstdint>

#include "readers/model/model_config.h"

namespace moescope {

struct MemoryBudget {
  std::size_t batch_tokens = 0;    // tokens of one pass over the weights
  std::uint64_t weight_bytes = 0;  // read ahead
};

/// Peak bytes of activations for each token of a batch; independent of layers and experts beyond the router's
/// scores.
std::uint64_t activation_bytes_per_token(const ModelConfig& config);

/// Divides `memory` bytes for a corpus of `tokens` whose longest sequence has `longest_sequence`. Throws
/// UsageError, naming the least that would do, when not even one sequence fits.
MemoryBudget divide_memory(const ModelConfig& config, std::uint64_t memory, std::size_t tokens,
                           std::size_t longest_sequence);

}  // namespace moescope
