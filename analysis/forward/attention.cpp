#include "analysis/forward/attention.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include "analysis/kernels/element_convert.h"
#include "analysis/kernels/elementwise.h"
#include "analysis/kernels/rms_norm.h"

namespace moescope {
namespace {

/// Keys per step of the softmax.
constexpr std::size_t key_block = 64;
/// Panels of queries that share a block of keys while it is in the first-level cache.
constexpr std::size_t group_panels = 4;
constexpr std::size_t group_queries = group_panels * panel_lanes;

struct HeadShape {
  std::size_t heads = 0, kv_heads = 0, head_dim = 0;
  std::size_t queries_per_kv() const { return heads / kv_heads; }
};

/// What one layer's heads read.
struct Projections {
  Matrix query;                             // (T, heads * head_dim)
  Matrix key;                               // (T, kv_heads * head_dim)
  Matrix value;                             // (T, kv_heads * head_dim)
  std::vector<float> query_norm, key_norm;  // (head_dim); empty: heads are not normalised by themselves
};

/// Rules of one layer.
struct AttentionRule {
  HeadShape shape;
  QueryKeyNorm query_key_norm = QueryKeyNorm::none;
  double epsilon = 0;
  std::optional<std::size_t> window;  // a token sees itself and the window - 1 before it
  Precision precision = Precision::bf16;
};

AttentionRule rule_of_layer(const ForwardContext& context, std::int64_t layer) {
  const ModelConfig& config = context.config;
  AttentionRule rule;
  rule.shape = {.heads = static_cast<std::size_t>(config.num_attention_heads),
                .kv_heads = static_cast<std::size_t>(config.num_key_value_heads),
                .head_dim = static_cast<std::size_t>(config.head_dim)};
  rule.query_key_norm = config.attention.query_key_norm;
  rule.epsilon = config.rms_norm_eps;
  if (const auto window = config.attention.window_in(layer)) rule.window = static_cast<std::size_t>(*window);
  rule.precision = context.precision;
  return rule;
}

/// Keys and values of one head over one sequence of S tokens, as numbers the products take: float, or
/// Bfloat16 where the processor multiplies those.
template <class Element>
struct HeadMemory {
  Aligned<Element> key;    // (S, head_dim)
  Aligned<Element> value;  // (ceil(S / key_block), head_dim, key_block)
  /// Tokens whose values are not finite, ascending. They are kept as zeros, since a share of 0, as of what
  /// comes later, times NaN is NaN; who really sees one has NaN in the end.
  std::vector<std::size_t> broken;
};

/// Up to 64 queries of one head on their way through the keys, 16 to a panel.
template <class Element>
struct QueryGroup {
  std::size_t first = 0, queries = 0;  // positions [first, first + queries) of the sequence
  Aligned<Element> query;              // (panels, head_dim, 16)
  AlignedFloats output;                // (panels, head_dim, 16), not yet divided by the sum
  AlignedFloats scores = AlignedFloats(group_queries * key_block);        // (panels, key_block, 16)
  Aligned<Element> shares = Aligned<Element>(group_queries * key_block);  // the same, after the softmax
  AlignedFloats maximum = AlignedFloats(group_queries), sum = AlignedFloats(group_queries);  // (panels, 16)
  AlignedFloats rescale = AlignedFloats(panel_lanes);

  explicit QueryGroup(std::size_t head_dim)
      : query(head_dim * group_queries), output(head_dim * group_queries) {}
  std::size_t panels() const { return (queries + panel_lanes - 1) / panel_lanes; }
};

void add_bias(ThreadPool& threads, Matrix& y, std::span<const float> bias) {
  if (bias.empty()) return;
  threads.for_each(y.rows, [&](std::size_t r, unsigned) {
    for (std::size_t i = 0; i < bias.size(); ++i) y.row(r)[i] += bias[i];
  });
}

/// Of all heads of a token together.
void normalise_rows(ThreadPool& threads, Matrix& x, std::span<const float> gain, double epsilon) {
  threads.for_each(x.rows, [&](std::size_t r, unsigned) { rms_norm(x.row(r), gain, epsilon); });
}

/// Takes the gains that the scheme asks for, and applies those of the full width.
void take_norms(const ForwardContext& context, std::int64_t layer, const AttentionRule& rule,
                Projections& p) {
  if (rule.query_key_norm == QueryKeyNorm::none) return;
  p.query_norm = context.take(Role::query_norm, layer);
  p.key_norm = context.take(Role::key_norm, layer);
  if (rule.query_key_norm == QueryKeyNorm::per_head) return;
  normalise_rows(context.threads, p.query, std::exchange(p.query_norm, {}), rule.epsilon);
  normalise_rows(context.threads, p.key, std::exchange(p.key_norm, {}), rule.epsilon);
}

Projections project(const ForwardContext& context, std::int64_t layer, const Matrix& x,
                    const AttentionRule& rule) {
  const HeadShape& shape = rule.shape;
  const TokenPanels panels = pack_panels(context.threads, x, context.precision);
  Projections p{.query = Matrix(x.rows, shape.heads * shape.head_dim),
                .key = Matrix(x.rows, shape.kv_heads * shape.head_dim),
                .value = Matrix(x.rows, shape.kv_heads * shape.head_dim),
                .query_norm = {},
                .key_norm = {}};
  context.take_product(Role::query, layer, panels, store_rows(panels, p.query));
  context.take_product(Role::key, layer, panels, store_rows(panels, p.key));
  context.take_product(Role::value, layer, panels, store_rows(panels, p.value));
  add_bias(context.threads, p.query, context.take_if_present(Role::query_bias, layer));
  add_bias(context.threads, p.key, context.take_if_present(Role::key_bias, layer));
  add_bias(context.threads, p.value, context.take_if_present(Role::value_bias, layer));
  take_norms(context, layer, rule, p);
  return p;
}

/// One number as a product takes it.
void store_element(float value, Precision precision, float& out) {
  out = precision == Precision::bf16 ? round_to_bfloat16(value) : value;
}
void store_element(float value, Precision, Bfloat16& out) {
  out = static_cast<Bfloat16>(std::bit_cast<std::uint32_t>(round_to_bfloat16(value)) >> 16);
}

/// Also after it was rounded.
bool is_finite(float value, Precision precision) {
  return std::isfinite(precision == Precision::bf16 ? round_to_bfloat16(value) : value);
}

/// A panel (depth, 16) as a product takes it.
void store_panel(const float* x, std::size_t depth, Precision precision, float* out) {
  if (precision == Precision::bf16) return round_panel(x, depth, out);
  std::copy_n(x, depth * panel_lanes, out);
}
void store_panel(const float* x, std::size_t depth, Precision, Bfloat16* out) {
  round_panel(x, depth, out);
}

/// One head's query or key, normalised if there is a gain for it, and rotated.
void prepare(std::span<const float> projected, std::span<const float> norm, const AttentionRule& rule,
             const RotaryTable& rotary, std::size_t position, std::span<float> out) {
  std::ranges::copy(projected, out.begin());
  if (!norm.empty()) rms_norm(out, norm, rule.epsilon);
  rotate(out, rotary, position);
}

template <class Element>
HeadMemory<Element> load_head(const Projections& p, const AttentionRule& rule, const RotaryTable& rotary,
                              std::size_t head, std::size_t first_row, std::size_t tokens) {
  const std::size_t dim = rule.shape.head_dim, blocks = (tokens + key_block - 1) / key_block;
  HeadMemory<Element> memory{Aligned<Element>(tokens * dim), Aligned<Element>(blocks * dim * key_block), {}};
  std::vector<float> key(dim);
  for (std::size_t t = 0; t < tokens; ++t) {
    prepare(p.key.row(first_row + t).subspan(head * dim, dim), p.key_norm, rule, rotary, t, key);
    const auto value = p.value.row(first_row + t).subspan(head * dim, dim);
    const bool whole = std::ranges::all_of(value, [&](float v) { return is_finite(v, rule.precision); });
    if (!whole) memory.broken.push_back(t);
    Element* block = memory.value.data() + t / key_block * dim * key_block;
    for (std::size_t d = 0; d < dim; ++d) {
      store_element(key[d], rule.precision, memory.key[t * dim + d]);
      store_element(whole ? value[d] : 0, rule.precision, block[d * key_block + t % key_block]);
    }
  }
  return memory;
}

template <class Element>
void load_queries(const Projections& p, const AttentionRule& rule, const RotaryTable& rotary,
                  std::size_t head, std::size_t first_row, QueryGroup<Element>& group) {
  const std::size_t dim = rule.shape.head_dim;
  std::vector<float> query(dim);
  AlignedFloats panel(dim * panel_lanes);  // (head_dim, 16)
  for (std::size_t begin = 0; begin < group.queries; begin += panel_lanes) {
    std::ranges::fill(panel, 0.0f);
    for (std::size_t lane = 0; lane < std::min(panel_lanes, group.queries - begin); ++lane) {
      const std::size_t position = group.first + begin + lane;
      prepare(p.query.row(first_row + position).subspan(head * dim, dim), p.query_norm, rule, rotary,
              position, query);
      for (std::size_t d = 0; d < dim; ++d) panel[d * panel_lanes + lane] = query[d];
    }
    store_panel(panel.data(), dim, rule.precision, group.query.data() + begin * dim);
  }
  std::ranges::fill(group.output, 0.0f);
  std::ranges::fill(group.maximum, masked_score);
  std::ranges::fill(group.sum, 0.0f);
}

bool sees(const AttentionRule& rule, std::size_t query, std::size_t key) {
  return key <= query && (!rule.window || query - key < *rule.window);
}

/// Whether a query sees any of some keys, ascending.
bool sees_any(const AttentionRule& rule, std::size_t query, const std::vector<std::size_t>& keys) {
  const auto after = std::ranges::upper_bound(keys, query);
  return after != keys.begin() && sees(rule, query, *std::prev(after));
}

/// Masks keys after a query, and those that have left its window. scores: (keys, 16).
void mask_scores(const AttentionRule& rule, std::size_t first_query, std::size_t first_key, std::size_t keys,
                 float* scores) {
  for (std::size_t k = 0; k < keys; ++k) {
    for (std::size_t lane = 0; lane < panel_lanes; ++lane) {
      if (!sees(rule, first_query + lane, first_key + k)) scores[k * panel_lanes + lane] = masked_score;
    }
  }
}

/// Scores of one panel become its shares; what it gathered with the old maximum is rescaled.
template <class Element>
void softmax_panel(const AttentionRule& rule, std::size_t panel, std::size_t first_key, std::size_t keys,
                   QueryGroup<Element>& group) {
  const std::size_t dim = rule.shape.head_dim, first_query = group.first + panel * panel_lanes;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  float* scores = group.scores.data() + panel * key_block * panel_lanes;
  if (rule.window || first_key + keys > first_query) mask_scores(rule, first_query, first_key, keys, scores);
  softmax_step(scores, keys, scale, group.maximum.data() + panel * panel_lanes,
               group.sum.data() + panel * panel_lanes, group.rescale.data());
  scale_lanes(group.output.data() + panel * dim * panel_lanes, dim, group.rescale.data());
  store_panel(scores, keys, rule.precision, group.shares.data() + panel * key_block * panel_lanes);
}

/// softmax(q k^T / sqrt(head_dim)) v for the queries of `group` (FlashAttention's order, arXiv 2205.14135).
template <class Element>
void attend(const HeadMemory<Element>& memory, const AttentionRule& rule, QueryGroup<Element>& group) {
  const std::size_t dim = rule.shape.head_dim, panel_keys = key_block * panel_lanes;
  const std::size_t reach = rule.window ? std::min(group.first, *rule.window - 1) : group.first;
  const std::size_t end = group.first + group.queries;
  for (std::size_t key = (group.first - reach) / key_block * key_block; key < end; key += key_block) {
    const std::size_t keys = std::min(key_block, end - key);
    // Earlier panels have seen all their keys.
    const std::size_t first = key > group.first ? (key - group.first) / panel_lanes : 0;
    const std::size_t panels = group.panels() - first, queries = panels * panel_lanes;
    float* scores = group.scores.data() + first * panel_keys;
    std::fill_n(scores, panels * panel_keys, 0.0f);
    accumulate_product(
        memory.key.data() + key * dim, dim, keys, dim,
        {group.query.data() + first * dim * panel_lanes, dim * panel_lanes, scores, panel_keys}, queries);
    for (std::size_t panel = first; panel < group.panels(); ++panel) {
      softmax_panel(rule, panel, key, keys, group);
    }
    accumulate_product(memory.value.data() + key * dim, key_block, dim, keys,
                       {group.shares.data() + first * panel_keys, panel_keys,
                        group.output.data() + first * dim * panel_lanes, dim * panel_lanes},
                       queries);
  }
}

template <class Element>
void store_output(const HeadMemory<Element>& memory, const AttentionRule& rule,
                  const QueryGroup<Element>& group, std::size_t head, std::size_t first_row, Matrix& out) {
  const std::size_t dim = rule.shape.head_dim;
  for (std::size_t q = 0; q < group.queries; ++q) {
    const std::size_t panel = q / panel_lanes, lane = q % panel_lanes;
    const float* output = group.output.data() + panel * dim * panel_lanes + lane;
    const auto row = out.row(first_row + group.first + q).subspan(head * dim, dim);
    for (std::size_t d = 0; d < dim; ++d) row[d] = output[d * panel_lanes] / group.sum[q];
    if (sees_any(rule, group.first + q, memory.broken))
      std::ranges::fill(row, std::numeric_limits<float>::quiet_NaN());
  }
}

/// Every query head that shares `kv_head`, over one sequence.
template <class Element>
void attend_sequence(const Projections& p, const AttentionRule& rule, const RotaryTable& rotary,
                     std::size_t kv_head, std::size_t first_row, std::size_t tokens, Matrix& out) {
  const auto memory = load_head<Element>(p, rule, rotary, kv_head, first_row, tokens);
  const std::size_t sharing = rule.shape.queries_per_kv();
  QueryGroup<Element> group(rule.shape.head_dim);
  for (std::size_t head = kv_head * sharing; head < (kv_head + 1) * sharing; ++head) {
    for (group.first = 0; group.first < tokens; group.first += group_queries) {
      group.queries = std::min(group_queries, tokens - group.first);
      load_queries(p, rule, rotary, head, first_row, group);
      attend(memory, rule, group);
      store_output(memory, rule, group, head, first_row, out);
    }
  }
}

}  // namespace

RotaryTable make_rotary_table(std::size_t positions, const RotaryScheme& scheme) {
  const auto half = static_cast<std::size_t>(scheme.features / 2);
  RotaryTable table{Matrix(positions, half), Matrix(positions, half)};
  for (std::size_t i = 0; i < half; ++i) {
    // The frequency and the angle are float32, as in the reference; their rounding is part of the model.
    const auto frequency = static_cast<float>(
        1.0 / std::pow(scheme.base, 2.0 * static_cast<double>(i) / static_cast<double>(scheme.features)));
    for (std::size_t position = 0; position < positions; ++position) {
      const float angle = static_cast<float>(position) * frequency;
      table.cosine.row(position)[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
      table.sine.row(position)[i] = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  }
  return table;
}

void rotate(std::span<float> x, const RotaryTable& table, std::size_t position) {
  const std::size_t half = table.cosine.columns;
  const auto cosine = table.cosine.row(position), sine = table.sine.row(position);
  for (std::size_t i = 0; i < half; ++i) {
    const float a = x[i], b = x[i + half];
    x[i] = a * cosine[i] - b * sine[i];
    x[i + half] = b * cosine[i] + a * sine[i];
  }
}

void attention(const ForwardContext& context, std::int64_t layer, const RotaryTable& rotary, const Matrix& x,
               Matrix& residual) {
  const AttentionRule rule = rule_of_layer(context, layer);
  Matrix heads(x.rows, rule.shape.heads * rule.shape.head_dim);  // (T, heads * head_dim)
  {
    const Projections projections = project(context, layer, x, rule);
    const std::vector<std::size_t>& start = context.batch.sequence_start;
    const auto attend_one = panel_format(context.precision) == PanelFormat::pairs ? attend_sequence<Bfloat16>
                                                                                  : attend_sequence<float>;
    context.threads.for_each((start.size() - 1) * rule.shape.kv_heads, [&](std::size_t task, unsigned) {
      const std::size_t sequence = task / rule.shape.kv_heads, kv_head = task % rule.shape.kv_heads;
      attend_one(projections, rule, rotary, kv_head, start[sequence], start[sequence + 1] - start[sequence],
                 heads);
    });
  }
  const TokenPanels panels = pack_panels(context.threads, heads, context.precision);
  context.take_product(Role::attention_output, layer, panels, add_rows(panels, residual));
  add_bias(context.threads, residual, context.take_if_present(Role::attention_output_bias, layer));
}

}  // namespace moescope
