#include "analysis/forward/forward_cost.h"

#include <algorithm>

#include "readers/model/weight_table.h"

namespace moescope {
namespace {

/// y = W x with W (rows, columns).
double product_flops(WeightShape shape) {
  return 2.0 * static_cast<double>(shape.rows) * static_cast<double>(shape.cols);
}

/// Operations of the products with a part's matrices, for one token.
struct TokenFlops {
  double routed = 0, others = 0;
};

/// Of the matrices of a layer; -1: of those outside the layers, but for the embedding, of which rows are
/// read.
TokenFlops token_flops(const ModelConfig& config, std::int64_t layer) {
  TokenFlops flops;
  for (const WeightRule& rule : family_of(config).weights) {
    if (rule.is_vector() || rule.role == Role::embedding || !applies(rule, layer, config)) continue;
    const double product = product_flops(shape_of(rule, config));
    if (rule.scope == Scope::routed_expert) {
      flops.routed += static_cast<double>(config.num_experts_per_tok) * product;
    } else {
      flops.others += product;
    }
  }
  return flops;
}

double head_flops(const ModelConfig& config) {
  const double own = token_flops(config, -1).others;
  return own > 0 ? own : product_flops(shape_of(Role::embedding, config));
}

struct Sequences {
  std::span<const std::size_t> start;

  double tokens() const { return static_cast<double>(start.back() - start.front()); }
  /// Seen by all queries together.
  double keys(std::optional<std::int64_t> window) const {
    double keys = 0;
    for (std::size_t s = 0; s + 1 < start.size(); ++s)
      keys += static_cast<double>(visible_keys(start[s + 1] - start[s], window));
    return keys;
  }
};

/// Of softmax attention: for every head, query and key it sees a product of head_dim for the score, one of
/// the value's. Of linear attention: for every head and token three products with its memory.
double attention_flops(const ModelConfig& config, std::int64_t layer, const Sequences& sequences) {
  if (config.attention.is_linear_in(layer)) {
    const LinearScheme& linear = *config.attention.linear;
    const WeightShape memory{static_cast<std::uint64_t>(linear.values()),
                             static_cast<std::uint64_t>(linear.key_features)};
    return 3 * product_flops(memory) * sequences.tokens();
  }
  const WeightShape heads{static_cast<std::uint64_t>(config.num_attention_heads),
                          static_cast<std::uint64_t>(config.head_dim + config.value_head_dim)};
  return product_flops(heads) * sequences.keys(config.attention.window_in(layer));
}

Cost layer_flops(const ModelConfig& config, std::int64_t layer, const Sequences& sequences) {
  const TokenFlops flops = token_flops(config, layer);
  Cost cost;
  cost.attention_flops = attention_flops(config, layer, sequences);
  cost.routed_flops = flops.routed * sequences.tokens();
  cost.flops = flops.others * sequences.tokens() + cost.attention_flops + cost.routed_flops;
  return cost;
}

std::uint64_t embedding_bytes(const Weight& embedding, double tokens) {
  const double rows = std::min(tokens, static_cast<double>(embedding.rows));
  return static_cast<std::uint64_t>(rows) * embedding.row_bytes();
}

/// Where in the list of parts a weight belongs; the embedding belongs nowhere, being read row by row.
std::size_t part_index(const Weight& weight, std::size_t parts) {
  return weight.key.layer < 0 ? parts - 1 : static_cast<std::size_t>(weight.key.layer) + 1;
}

void add_stored_bytes(const ModelWeights& weights, std::vector<PartCost>& parts) {
  for (const Weight& weight : weights.all()) {
    if (weight.key.role == Role::embedding) continue;
    parts[part_index(weight, parts.size())].cost.weight_bytes += weight.stored_bytes();
  }
  const bool tied = weights.find({Role::head}) == nullptr;
  if (tied) parts.back().cost.weight_bytes += weights.at({Role::embedding}).bytes();
}

}  // namespace

Cost& Cost::operator+=(const Cost& other) {
  weight_bytes += other.weight_bytes;
  flops += other.flops;
  attention_flops += other.attention_flops;
  routed_flops += other.routed_flops;
  return *this;
}

std::uint64_t visible_keys(std::size_t length, std::optional<std::int64_t> window) {
  const std::uint64_t queries = length;
  const std::uint64_t seen =
      window ? std::min(queries, static_cast<std::uint64_t>(std::max<std::int64_t>(0, *window))) : queries;
  return seen * (seen + 1) / 2 + (queries - seen) * seen;
}

std::vector<PartCost> forward_cost(const ModelConfig& config, const ModelWeights& weights,
                                   std::span<const std::size_t> sequence_start) {
  const Sequences sequences{sequence_start};
  std::vector<PartCost> parts(1);
  parts[0].cost.weight_bytes = embedding_bytes(weights.at({Role::embedding}), sequences.tokens());
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const auto kind = config.is_moe_layer(layer) ? ForwardPart::moe_layer : ForwardPart::dense_layer;
    parts.push_back({kind, layer, layer_flops(config, layer, sequences)});
  }
  Cost head;
  head.flops = head_flops(config) * sequences.tokens();
  parts.push_back({ForwardPart::head, -1, head});
  add_stored_bytes(weights, parts);
  return parts;
}

Cost total_cost(std::span<const PartCost> parts) {
  Cost total;
  for (const PartCost& part : parts) total += part.cost;
  return total;
}

}  // namespace moescope
