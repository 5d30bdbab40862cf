#include "analysis/forward/forward_cost.h"

#include <algorithm>

namespace moescope {
namespace {

/// Operations of products with the matrices of a layer, for one token.
struct TokenFlops {
  double projections, dense_mlp, routed, router_and_shared;
};

/// y = W x with W (rows, columns).
double product_flops(std::int64_t rows, std::int64_t columns) {
  return 2.0 * static_cast<double>(rows) * static_cast<double>(columns);
}

/// gate, up and down.
double mlp_flops(std::int64_t hidden, std::int64_t width) {
  return 3 * product_flops(width, hidden);
}

TokenFlops token_flops(const ModelConfig& config) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t heads = config.num_attention_heads * config.head_dim;
  const std::int64_t kv_heads = config.num_key_value_heads * config.head_dim;
  TokenFlops flops{};
  flops.projections = 2 * product_flops(heads, hidden) + 2 * product_flops(kv_heads, hidden);
  flops.dense_mlp = mlp_flops(hidden, config.intermediate_size);
  flops.routed =
      static_cast<double>(config.num_experts_per_tok) * mlp_flops(hidden, config.moe_intermediate_size);
  flops.router_and_shared = product_flops(config.n_routed_experts, hidden) +
                            mlp_flops(hidden, config.n_shared_experts * config.moe_intermediate_size);
  return flops;
}

/// Sequences as the parts of a model see them.
struct Sequences {
  double tokens = 0;
  double keys = 0, window_keys = 0;  // seen by all queries together, in full and in sliding attention

  Sequences(const ModelConfig& config, std::span<const std::size_t> start) {
    for (std::size_t s = 0; s + 1 < start.size(); ++s) {
      const std::size_t length = start[s + 1] - start[s];
      tokens += static_cast<double>(length);
      keys += static_cast<double>(visible_keys(length, {}));
      window_keys += static_cast<double>(visible_keys(length, config.sliding_window));
    }
  }
};

Cost layer_flops(const ModelConfig& config, std::int64_t layer, const Sequences& sequences) {
  const TokenFlops flops = token_flops(config);
  const bool moe = config.is_moe_layer(layer);
  const double keys = config.is_sliding_layer(layer) ? sequences.window_keys : sequences.keys;
  Cost cost;
  // For every head, query and key it sees: a product of head_dim for the score, one for the value.
  cost.attention_flops = 2 * product_flops(config.num_attention_heads, config.head_dim) * keys;
  cost.routed_flops = moe ? flops.routed * sequences.tokens : 0;
  const double others = flops.projections + (moe ? flops.router_and_shared : flops.dense_mlp);
  cost.flops = others * sequences.tokens + cost.attention_flops + cost.routed_flops;
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
    parts[part_index(weight, parts.size())].cost.weight_bytes += weight.bytes();
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
  const Sequences sequences(config, sequence_start);
  std::vector<PartCost> parts(1);
  parts[0].cost.weight_bytes = embedding_bytes(weights.at({Role::embedding}), sequences.tokens);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const auto kind = config.is_moe_layer(layer) ? ForwardPart::moe_layer : ForwardPart::dense_layer;
    parts.push_back({kind, layer, layer_flops(config, layer, sequences)});
  }
  Cost head;
  head.flops = product_flops(config.vocab_size, config.hidden_size) * sequences.tokens;
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
