#pragma once
/// What a run file holds of its forward passes: sizes, domains, what is finished. The values themselves are
/// read slab by slab where they are needed.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "readers/run_file.h"

namespace moescope {

struct ForwardRecord {
  std::size_t checkpoints = 0;                          // C
  std::size_t domains = 0;                              // D
  std::size_t tokens = 0;                               // T
  std::size_t moe_layers = 0;                           // L, 0 without routing
  std::size_t experts = 0;                              // E
  std::size_t top_k = 0;                                // K
  std::vector<bool> finished;                           // (C)
  std::vector<std::vector<std::size_t>> domain_tokens;  // (D) of token numbers, ascending
};

/// Empty where the run has no forward pass (--only weights).
std::optional<ForwardRecord> read_forward_record(const RunFile& run);

/// The values of `per_token` (T) that belong to one domain.
std::vector<double> of_tokens(std::span<const double> per_token, std::span<const std::size_t> tokens);

}  // namespace moescope
