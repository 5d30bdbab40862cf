#pragma once
/// What a run file holds of its forward passes: sizes, domains, what is finished. The values themselves are
/// read slab by slab where they are needed.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "metrics/routing/expert_choice.h"
#include "readers/run_file/run_file.h"

namespace moescope {

struct ForwardRecord {
  std::size_t checkpoints = 0;  // C
  std::size_t domains = 0;      // D
  std::size_t tokens = 0;       // T
  std::size_t moe_layers = 0;   // L, 0 without routing
  std::size_t experts = 0;      // E
  std::size_t top_k = 0;        // K
  std::size_t eligible = 0;     // of E, those that a token may choose from (topk_group)
  std::vector<bool> finished;   // (C)
  std::vector<std::vector<std::size_t>> domain_tokens;  // (D) of token numbers, ascending
  std::vector<bool> has_successor;                      // (T): whose successor is predicted, see below
};

/// The experts that the T tokens chose in one layer at one checkpoint.
struct RecordedChoices {
  std::vector<std::uint16_t> experts;  // (T, K); no_expert K times where a token chose nothing
  std::size_t top_k = 0;

  std::span<const std::uint16_t> of(std::size_t token) const {
    return std::span(experts).subspan(token * top_k, top_k);
  }
};

/// Throws FormatError for an index that is no expert's.
RecordedChoices read_choices(const RunFile& run, std::size_t checkpoint, std::size_t moe_layer);

/// Which of the T tokens have a successor in their sequence: only these have a loss.
std::vector<bool> tokens_with_successor(const RunFile& run);

/// Tokens of each domain that chose experts in each layer: (D, L).
std::vector<std::int64_t> choosing_tokens(const RunFile& run, const ForwardRecord& record,
                                          std::size_t checkpoint);

/// Empty where the run has no forward pass (--only weights).
std::optional<ForwardRecord> read_forward_record(const RunFile& run);

/// The values of `per_token` (T) that belong to one domain.
std::vector<double> of_tokens(std::span<const double> per_token, std::span<const std::size_t> tokens);

}  // namespace moescope
