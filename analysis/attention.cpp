#include "analysis/attention.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "analysis/element_convert.h"
#include "analysis/rms_norm.h"

namespace moescope {
namespace {

/// Keys per step of the softmax.
constexpr std::size_t key_block = 64;

struct HeadShape {
  std::size_t heads, kv_heads, head_dim;
  std::size_t queries_per_kv() const { return heads / kv_heads; }
};

/// What one layer's heads read.
struct Projections {
  Matrix query;                             // (T, heads * head_dim)
  Matrix key;                               // (T, kv_heads * head_dim)
  Matrix value;                             // (T, kv_heads * head_dim)
  std::vector<float> query_norm, key_norm;  // (head_dim)
};

/// Rules of one layer.
struct AttentionRule {
  HeadShape shape;
  double epsilon;
  std::optional<std::size_t> window;  // a token sees itself and the window - 1 before it
  Precision precision;
};

/// Keys and values of one head over one sequence of S tokens.
struct HeadMemory {
  AlignedFloats key;    // (S, head_dim)
  AlignedFloats value;  // (head_dim, S)
};

/// Sixteen queries of one head on their way through the keys.
struct QueryBlock {
  AlignedFloats query;   // (head_dim, 16)
  AlignedFloats output;  // (head_dim, 16), not yet divided by the sum
  AlignedFloats scores = AlignedFloats(key_block * panel_lanes);  // (key_block, 16)
  AlignedFloats maximum = AlignedFloats(panel_lanes), sum = AlignedFloats(panel_lanes);
  AlignedFloats rescale = AlignedFloats(panel_lanes);
  std::size_t first = 0, lanes = 0;  // positions [first, first + lanes) of the sequence

  explicit QueryBlock(std::size_t head_dim) : query(head_dim * panel_lanes), output(head_dim * panel_lanes) {}
};

void add_bias(ThreadPool& threads, Matrix& y, std::span<const float> bias) {
  if (bias.empty()) return;
  threads.for_each(y.rows, [&](std::size_t r, unsigned) {
    for (std::size_t i = 0; i < bias.size(); ++i) y.row(r)[i] += bias[i];
  });
}

Projections project(const ForwardContext& context, std::int64_t layer, const Matrix& x,
                    const HeadShape& shape) {
  const TokenPanels panels = pack_panels(context.threads, x, context.precision);
  Projections p{Matrix(x.rows, shape.heads * shape.head_dim),
                Matrix(x.rows, shape.kv_heads * shape.head_dim),
                Matrix(x.rows, shape.kv_heads * shape.head_dim),
                {},
                {}};
  context.take_product(Role::query, layer, panels, store_rows(panels, p.query));
  context.take_product(Role::key, layer, panels, store_rows(panels, p.key));
  context.take_product(Role::value, layer, panels, store_rows(panels, p.value));
  add_bias(context.threads, p.query, context.take_if_present(Role::query_bias, layer));
  add_bias(context.threads, p.key, context.take_if_present(Role::key_bias, layer));
  add_bias(context.threads, p.value, context.take_if_present(Role::value_bias, layer));
  p.query_norm = context.take(Role::query_norm, layer);
  p.key_norm = context.take(Role::key_norm, layer);
  return p;
}

void round_each(std::span<float> values) {
  for (float& value : values) value = round_to_bfloat16(value);
}

/// One head's query or key: normalised, rotated, rounded.
void prepare(std::span<const float> projected, std::span<const float> norm, const AttentionRule& rule,
             const RotaryTable& rotary, std::size_t position, std::span<float> out) {
  std::ranges::copy(projected, out.begin());
  rms_norm(out, norm, rule.epsilon);
  rotate(out, rotary, position);
  if (rule.precision == Precision::bf16) round_each(out);
}

HeadMemory load_head(const Projections& p, const AttentionRule& rule, const RotaryTable& rotary,
                     std::size_t head, std::size_t first_row, std::size_t tokens) {
  const std::size_t dim = rule.shape.head_dim;
  HeadMemory memory{AlignedFloats(tokens * dim), AlignedFloats(tokens * dim)};
  for (std::size_t t = 0; t < tokens; ++t) {
    const auto key = p.key.row(first_row + t).subspan(head * dim, dim);
    const auto value = p.value.row(first_row + t).subspan(head * dim, dim);
    prepare(key, p.key_norm, rule, rotary, t, {memory.key.data() + t * dim, dim});
    for (std::size_t d = 0; d < dim; ++d) memory.value[d * tokens + t] = value[d];
  }
  if (rule.precision == Precision::bf16) round_each(memory.value);
  return memory;
}

void load_queries(const Projections& p, const AttentionRule& rule, const RotaryTable& rotary,
                  std::size_t head, std::size_t first_row, QueryBlock& block) {
  const std::size_t dim = rule.shape.head_dim;
  std::vector<float> query(dim);
  std::ranges::fill(block.query, 0.0f);
  for (std::size_t lane = 0; lane < block.lanes; ++lane) {
    const auto projected = p.query.row(first_row + block.first + lane).subspan(head * dim, dim);
    prepare(projected, p.query_norm, rule, rotary, block.first + lane, query);
    for (std::size_t d = 0; d < dim; ++d) block.query[d * panel_lanes + lane] = query[d];
  }
  std::ranges::fill(block.output, 0.0f);
  std::ranges::fill(block.maximum, masked_score);
  std::ranges::fill(block.sum, 0.0f);
}

/// Masks keys after a query, and those that have left its window.
void mask_scores(QueryBlock& block, const AttentionRule& rule, std::size_t first_key, std::size_t keys) {
  for (std::size_t k = 0; k < keys; ++k) {
    for (std::size_t lane = 0; lane < panel_lanes; ++lane) {
      const std::size_t query = block.first + lane, key = first_key + k;
      const bool seen = key <= query && (!rule.window || query - key < *rule.window);
      if (!seen) block.scores[k * panel_lanes + lane] = masked_score;
    }
  }
}

/// softmax(q k^T / sqrt(head_dim)) v for the queries of `block` (FlashAttention's order, arXiv 2205.14135).
void attend(const HeadMemory& memory, const AttentionRule& rule, std::size_t tokens, QueryBlock& block) {
  const std::size_t dim = rule.shape.head_dim;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  const std::size_t reach = rule.window ? std::min(block.first, *rule.window - 1) : block.first;
  const std::size_t end = block.first + block.lanes;
  for (std::size_t key = (block.first - reach) / key_block * key_block; key < end; key += key_block) {
    const std::size_t keys = std::min(key_block, end - key);
    std::fill_n(block.scores.begin(), keys * panel_lanes, 0.0f);
    accumulate_product(memory.key.data() + key * dim, dim, keys, dim, block.query.data(),
                       block.scores.data());
    if (rule.window || key + keys > block.first) mask_scores(block, rule, key, keys);
    softmax_step(block.scores.data(), keys, scale, block.maximum.data(), block.sum.data(),
                 block.rescale.data());
    scale_lanes(block.output.data(), dim, block.rescale.data());
    if (rule.precision == Precision::bf16) round_to_bfloat16(block.scores.data(), keys * panel_lanes);
    accumulate_product(memory.value.data() + key, tokens, dim, keys, block.scores.data(),
                       block.output.data());
  }
}

void store_output(const QueryBlock& block, std::size_t head, std::size_t first_row, std::size_t dim,
                  Matrix& out) {
  for (std::size_t lane = 0; lane < block.lanes; ++lane) {
    const auto row = out.row(first_row + block.first + lane).subspan(head * dim, dim);
    for (std::size_t d = 0; d < dim; ++d) row[d] = block.output[d * panel_lanes + lane] / block.sum[lane];
  }
}

/// Every query head that shares `kv_head`, over one sequence.
void attend_sequence(const Projections& p, const AttentionRule& rule, const RotaryTable& rotary,
                     std::size_t kv_head, std::size_t first_row, std::size_t tokens, Matrix& out) {
  const HeadMemory memory = load_head(p, rule, rotary, kv_head, first_row, tokens);
  const std::size_t group = rule.shape.queries_per_kv();
  QueryBlock block(rule.shape.head_dim);
  for (std::size_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    for (block.first = 0; block.first < tokens; block.first += panel_lanes) {
      block.lanes = std::min(panel_lanes, tokens - block.first);
      load_queries(p, rule, rotary, head, first_row, block);
      attend(memory, rule, tokens, block);
      store_output(block, head, first_row, rule.shape.head_dim, out);
    }
  }
}

}  // namespace

RotaryTable make_rotary_table(std::size_t positions, std::size_t head_dim, double theta) {
  const std::size_t half = head_dim / 2;
  RotaryTable table{Matrix(positions, half), Matrix(positions, half)};
  for (std::size_t i = 0; i < half; ++i) {
    // The frequency and the angle are float32, as in the reference; their rounding is part of the model.
    const auto frequency = static_cast<float>(
        1.0 / std::pow(theta, 2.0 * static_cast<double>(i) / static_cast<double>(head_dim)));
    for (std::size_t position = 0; position < positions; ++position) {
      const float angle = static_cast<float>(position) * frequency;
      table.cosine.row(position)[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
      table.sine.row(position)[i] = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  }
  return table;
}

void rotate(std::span<float> x, const RotaryTable& table, std::size_t position) {
  const std::size_t half = x.size() / 2;
  const auto cosine = table.cosine.row(position), sine = table.sine.row(position);
  for (std::size_t i = 0; i < half; ++i) {
    const float a = x[i], b = x[i + half];
    x[i] = a * cosine[i] - b * sine[i];
    x[i + half] = b * cosine[i] + a * sine[i];
  }
}

void attention(const ForwardContext& context, std::int64_t layer, const RotaryTable& rotary, const Matrix& x,
               Matrix& residual) {
  const ModelConfig& config = context.config;
  AttentionRule rule{
      {static_cast<std::size_t>(config.num_attention_heads),
       static_cast<std::size_t>(config.num_key_value_heads), static_cast<std::size_t>(config.head_dim)},
      config.rms_norm_eps,
      std::nullopt,
      context.precision};
  if (config.is_sliding_layer(layer)) rule.window = static_cast<std::size_t>(*config.sliding_window);

  Matrix heads(x.rows, rule.shape.heads * rule.shape.head_dim);  // (T, heads * head_dim)
  {
    const Projections projections = project(context, layer, x, rule.shape);
    const std::vector<std::size_t>& start = context.batch.sequence_start;
    context.threads.for_each((start.size() - 1) * rule.shape.kv_heads, [&](std::size_t task, unsigned) {
      const std::size_t sequence = task / rule.shape.kv_heads, kv_head = task % rule.shape.kv_heads;
      attend_sequence(projections, rule, rotary, kv_head, start[sequence],
                      start[sequence + 1] - start[sequence], heads);
    });
  }
  const TokenPanels panels = pack_panels(context.threads, heads, context.precision);
  context.take_product(Role::attention_output, layer, panels, add_rows(panels, residual));
  add_bias(context.threads, residual, context.take_if_present(Role::attention_output_bias, layer));
}

}  // namespace moescope
