#include "readers/model/parameter_count.h"

#include "readers/model/weight_table.h"

namespace moescope {

ParameterCount count_parameters(const ModelConfig& config) {
  ParameterCount count;
  for (const WeightRule& rule : family_of(config).weights) {
    const std::uint64_t each = occurrences(rule, config) * shape_of(rule, config).size();
    const bool routed = rule.scope == Scope::routed_expert;
    count.total += each * static_cast<std::uint64_t>(routed ? config.n_routed_experts : 1);
    count.active += each * static_cast<std::uint64_t>(routed ? config.num_experts_per_tok : 1);
  }
  return count;
}

}  // namespace moescope
