#include "readers/model/parameter_count.h"

#include "readers/model/weight_table.h"

namespace moescope {
namespace {

std::uint64_t occurrences(const WeightRule& rule, const ModelConfig& config) {
  std::uint64_t count = applies(rule, -1, config) ? 1 : 0;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    if (applies(rule, layer, config)) ++count;
  }
  return count;
}

}  // namespace

ParameterCount count_parameters(const ModelConfig& config) {
  ParameterCount count;
  for (const WeightRule& rule : family_table(config).rules) {
    const std::uint64_t each =
        occurrences(rule, config) * extent_size(rule.rows, config) * extent_size(rule.cols, config);
    const bool routed = rule.scope == Scope::routed_expert;
    count.total += each * static_cast<std::uint64_t>(routed ? config.n_routed_experts : 1);
    count.active += each * static_cast<std::uint64_t>(routed ? config.num_experts_per_tok : 1);
  }
  return count;
}

}  // namespace moescope
