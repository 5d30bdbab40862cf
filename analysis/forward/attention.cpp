#include "analysis/forward/attention.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

#include "analysis/forward/head_slice.h"
#include "analysis/kernels/element_convert.h"
#include "analysis/kernels/elementwise.h"
#include "analysis/kernels/panel_rows.h"
#include "analysis/kernels/rms_norm.h"

namespace moescope {
namespace {

/// Keys per step of the softmax.
constexpr std::size_t key_block = 64;
/// Panels of queries that share a block of keys while it is in the first-level cache.
constexpr std::size_t group_panels = 4;
constexpr std::size_t group_queries = group_panels * panel_lanes;

struct HeadShape {
  std::size_t heads = 0, kv_heads = 0, head_dim = 0, value_dim = 0;
  HeadSlice query = {}, key = {}, value = {},
            gate = {};  // gate: of no size where it is not projected with the queries
  std::size_t queries_per_kv() const { return heads / kv_heads; }
};

/// What one layer's heads read.
struct Projections {
  Matrix query;                             // (T, ...), where HeadShape says
  Matrix key, value;                        // the same; empty: they lie with the queries, or the keys
  Matrix shared_key;                        // (T, shared features) with which all keys end; may be empty
  std::vector<float> query_norm, key_norm;  // (head_dim); empty: heads are not normalised by themselves
  std::vector<float> sinks;  // (heads) scores that take a share, and have no value; may be empty

  const Matrix& keys() const { return key.rows > 0 ? key : query; }
  const Matrix& values() const { return value.rows > 0 ? value : keys(); }
};

/// Rules of one layer.
struct AttentionRule {
  HeadShape shape;
  QueryKeyNorm query_key_norm = QueryKeyNorm::none;
  double epsilon = 0;
  float scale = 1;                    // of the scores
  bool rotates = true;                // queries and keys
  std::optional<std::size_t> window;  // a token sees itself and the window - 1 before it
  Precision precision = Precision::bf16;
};

/// Heads one after another.
HeadSlice plain_slice(std::size_t size) {
  return {size, 0, size};
}

/// Where heads lie: a latent vector gives a head's keys, then its values; of what is projected by one matrix,
/// a key's queries come first, then the key, then the value, or a query, then its gate.
HeadShape head_shape(const ForwardContext& context, std::int64_t layer) {
  const ModelConfig& config = context.config;
  HeadShape shape{.heads = static_cast<std::size_t>(config.num_attention_heads),
                  .kv_heads = static_cast<std::size_t>(config.num_key_value_heads),
                  .head_dim = static_cast<std::size_t>(config.head_dim),
                  .value_dim = static_cast<std::size_t>(config.value_head_dim)};
  const std::size_t dim = shape.head_dim, sharing = shape.queries_per_kv();
  shape.query = shape.key = plain_slice(dim);
  shape.value = plain_slice(shape.value_dim);
  if (const auto& latent = config.attention.latent) {
    const auto own = static_cast<std::size_t>(latent->own_features);
    shape.key = {own + shape.value_dim, 0, own};
    shape.value = {own + shape.value_dim, own, shape.value_dim};
  } else if (context.model.find({Role::query_key_value, layer}) != nullptr) {
    const std::size_t stride = (sharing + 2) * dim;
    shape.query = {stride, 0, dim, sharing};
    shape.key = {stride, sharing * dim, dim};
    shape.value = {stride, (sharing + 1) * dim, dim};
  } else if (context.model.find({Role::query_and_gate, layer}) != nullptr) {
    shape.query = {2 * dim, 0, dim};
    shape.gate = {2 * dim, dim, dim};
  }
  return shape;
}

AttentionRule rule_of_layer(const ForwardContext& context, std::int64_t layer) {
  const ModelConfig& config = context.config;
  AttentionRule rule;
  rule.shape = head_shape(context, layer);
  rule.query_key_norm = config.attention.query_key_norm;
  rule.epsilon = config.rms_norm_eps;
  rule.scale =
      static_cast<float>(config.attention.score_factor) / std::sqrt(static_cast<float>(rule.shape.head_dim));
  if (const auto window = config.attention.window_in(layer)) rule.window = static_cast<std::size_t>(*window);
  rule.rotates = rule.window || !config.attention.rotary.only_sliding;
  rule.precision = context.precision;
  return rule;
}

/// Keys and values of one head over one sequence of S tokens, as numbers the products take: float, or
/// Bfloat16 where the processor multiplies those.
template <class Element>
struct HeadMemory {
  Aligned<Element> key;    // (S, head_dim)
  Aligned<Element> value;  // (ceil(S / key_block), value_dim, key_block)
  /// Tokens whose values are not finite, ascending. They are kept as zeros, since a share of 0, as of what
  /// comes later, times NaN is NaN; who really sees one has NaN in the end.
  std::vector<std::size_t> broken;
};

/// One head's features of 16 tokens, as rows and as a panel.
struct HeadRows {
  AlignedFloats rows;   // (16, features of a row)
  AlignedFloats panel;  // (features, 16)

  explicit HeadRows(const HeadShape& shape)
      : rows(std::max(shape.head_dim, shape.value_dim) * panel_lanes), panel(rows.size()) {}
};

/// Up to 64 queries of one head on their way through the keys, 16 to a panel.
template <class Element>
struct QueryGroup {
  std::size_t first = 0, queries = 0;  // positions [first, first + queries) of the sequence
  Aligned<Element> query;              // (panels, head_dim, 16)
  AlignedFloats output;                // (panels, value_dim, 16), not yet divided by the sum
  AlignedFloats scores = AlignedFloats(group_queries * key_block);        // (panels, key_block, 16)
  Aligned<Element> shares = Aligned<Element>(group_queries * key_block);  // the same, after the softmax
  AlignedFloats maximum = AlignedFloats(group_queries), sum = AlignedFloats(group_queries);  // (panels, 16)
  AlignedFloats rescale = AlignedFloats(panel_lanes);
  HeadRows rows;  // of a panel, on the way in and out

  explicit QueryGroup(const HeadShape& shape)
      : query(shape.head_dim * group_queries), output(shape.value_dim * group_queries), rows(shape) {}
  std::size_t panels() const { return (queries + panel_lanes - 1) / panel_lanes; }
};

/// Of all heads of a token together.
void normalise_rows(ThreadPool& threads, Matrix& x, std::span<const float> gain, double epsilon) {
  for_each_row(threads, x.rows, [&](std::size_t r) { rms_norm(x.row(r), gain, epsilon); });
}

/// A NaN stays one.
void clip(ThreadPool& threads, double limit, Matrix& x) {
  const auto most = static_cast<float>(limit);
  for_each_row(threads, x.rows, [&](std::size_t r) {
    for (float& value : x.row(r)) value = std::clamp(value, -most, most);
  });
}

/// Takes the gains that the scheme asks for, and applies those of the full width.
void take_norms(const ForwardContext& context, std::int64_t layer, const AttentionRule& rule,
                Projections& p) {
  if (rule.query_key_norm == QueryKeyNorm::none) return;
  p.query_norm = context.take_gain(Role::query_norm, layer);
  p.key_norm = context.take_gain(Role::key_norm, layer);
  if (rule.query_key_norm == QueryKeyNorm::per_head) return;
  normalise_rows(context.threads, p.query, std::exchange(p.query_norm, {}), rule.epsilon);
  normalise_rows(context.threads, p.key, std::exchange(p.key_norm, {}), rule.epsilon);
}

/// Normalised, as panels. The epsilon is that of the reference, whatever the model's own is.
TokenPanels take_latent(const ForwardContext& context, Role norm, std::int64_t layer, const Matrix& x) {
  constexpr double latent_epsilon = 1e-6;
  return pack_panels(context.threads,
                     rms_norm(context.threads, x, context.take_gain(norm, layer), latent_epsilon),
                     context.precision);
}

/// The first `columns` of x, and the rest.
std::pair<Matrix, Matrix> split_columns(ThreadPool& threads, const Matrix& x, std::size_t columns) {
  std::pair<Matrix, Matrix> parts{Matrix(x.rows, columns), Matrix(x.rows, x.columns - columns)};
  for_each_row(threads, x.rows, [&](std::size_t r) {
    std::ranges::copy(x.row(r).first(columns), parts.first.row(r).begin());
    std::ranges::copy(x.row(r).subspan(columns), parts.second.row(r).begin());
  });
  return parts;
}

/// Multi-head latent attention.
Projections project_latent(const ForwardContext& context, std::int64_t layer, const TokenPanels& panels,
                           const LatentScheme& latent) {
  Projections p;
  TokenPanels query_latent;
  if (latent.query_rank > 0) {
    Matrix down = context.take_projection(Role::query_down, layer, panels);
    add_bias(context.threads, down, context.take_if_present(Role::query_down_bias, layer));
    query_latent = take_latent(context, Role::query_down_norm, layer, down);
  }
  Matrix down = context.take_projection(Role::key_value_down, layer, panels);
  add_bias(context.threads, down, context.take_if_present(Role::key_value_down_bias, layer));
  p.query = context.take_projection(Role::query, layer, latent.query_rank > 0 ? query_latent : panels);
  Matrix compressed;
  std::tie(compressed, p.shared_key) =
      split_columns(context.threads, down, static_cast<std::size_t>(latent.key_value_rank));
  p.key = context.take_projection(Role::key_value_up, layer,
                                  take_latent(context, Role::key_value_down_norm, layer, compressed));
  return p;
}

/// By the role's matrix; empty where the model has none.
Matrix project_if_present(const ForwardContext& context, Role role, std::int64_t layer,
                          const TokenPanels& panels) {
  return context.model.find({role, layer}) ? context.take_projection(role, layer, panels) : Matrix();
}

Projections project(const ForwardContext& context, std::int64_t layer, const TokenPanels& panels,
                    const AttentionRule& rule) {
  if (const auto& latent = context.config.attention.latent)
    return project_latent(context, layer, panels, *latent);
  Projections p;
  for (const Role role : {Role::query_key_value, Role::query_and_gate, Role::query}) {
    if (context.model.find({role, layer})) p.query = context.take_projection(role, layer, panels);
  }
  p.key = project_if_present(context, Role::key, layer, panels);
  p.value = project_if_present(context, Role::value, layer, panels);
  add_bias(context.threads, p.query, context.take_if_present(Role::query_bias, layer));
  add_bias(context.threads, p.key, context.take_if_present(Role::key_bias, layer));
  add_bias(context.threads, p.value, context.take_if_present(Role::value_bias, layer));
  take_norms(context, layer, rule, p);
  p.sinks = context.take_if_present(Role::attention_sinks, layer);
  if (const std::optional<double> limit = context.config.attention.clip) {
    for (Matrix* projected : {&p.query, &p.key, &p.value}) clip(context.threads, *limit, *projected);
  }
  return p;
}

/// Numbers as a product takes them.
void store_elements(std::span<const float> x, Precision precision, float* out) {
  if (precision == Precision::bf16) {
    std::ranges::transform(x, out, round_to_bfloat16);
  } else {
    std::ranges::copy(x, out);
  }
}
void store_elements(std::span<const float> x, Precision, Bfloat16* out) {
  std::ranges::transform(x, out, [](float value) { return upper_half(round_to_bfloat16(value)); });
}

/// Also after they were rounded.
bool all_finite(std::span<const float> values, Precision precision) {
  const float limit = precision == Precision::bf16 ? 0x1.ffp127f : std::numeric_limits<float>::infinity();
  int broken = 0;
  for (const float value : values) broken |= !(std::fabs(value) < limit);
  return broken == 0;
}

/// A panel (depth, 16) as a product takes it.
void store_panel(const float* x, std::size_t depth, Precision precision, float* out) {
  if (precision == Precision::bf16) return round_panel(x, depth, out);
  std::copy_n(x, depth * panel_lanes, out);
}
void store_panel(const float* x, std::size_t depth, Precision, Bfloat16* out) {
  round_panel(x, depth, out);
}

/// One head's query or key, normalised if there is a gain for it, and rotated, in place.
void prepare(std::span<float> x, std::span<const float> norm, const AttentionRule& rule,
             const RotaryTable& rotary, std::size_t position) {
  if (!norm.empty()) rms_norm(x, norm, rule.epsilon);
  if (rule.rotates) rotate(x, rotary, position);
}

/// A head's own features, then those that all keys share.
void load_key(const Projections& p, const HeadShape& shape, std::size_t row, std::size_t head,
              std::span<float> key) {
  const auto shared = std::ranges::copy(shape.key.of(p.keys(), row, head), key.begin()).out;
  if (p.shared_key.rows > 0) std::ranges::copy(p.shared_key.row(row), shared);
}

/// Keys of the tokens [first, first + count) of a sequence that begins at first_row.
template <class Element>
void load_keys(const Projections& p, const AttentionRule& rule, const RotaryTable& rotary, std::size_t head,
               std::size_t first_row, std::size_t first, std::size_t count, HeadRows& staged,
               HeadMemory<Element>& memory) {
  const std::size_t dim = rule.shape.head_dim;
  for (std::size_t i = 0; i < count; ++i) {
    const std::span<float> key = std::span(staged.rows).subspan(i * dim, dim);
    load_key(p, rule.shape, first_row + first + i, head, key);
    prepare(key, p.key_norm, rule, rotary, first + i);
  }
  store_elements(std::span(staged.rows).first(count * dim), rule.precision, memory.key.data() + first * dim);
}

/// Their values; `count` is at most 16.
template <class Element>
void load_values(const Projections& p, const AttentionRule& rule, std::size_t head, std::size_t first_row,
                 std::size_t first, std::size_t count, HeadRows& staged, HeadMemory<Element>& memory) {
  const std::size_t dim = rule.shape.value_dim;
  LaneRows<const float> rows{};
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = rule.shape.value.of(p.values(), first_row + first + i, head);
    if (all_finite(value, rule.precision)) {
      rows[i] = value.data();
    } else {
      memory.broken.push_back(first + i);
    }
  }
  rows_to_panel(rows, dim, staged.panel.data());
  Element* block = memory.value.data() + first / key_block * dim * key_block + first % key_block;
  for (std::size_t d = 0; d < dim; ++d) {
    store_elements(std::span(staged.panel).subspan(d * panel_lanes, panel_lanes), rule.precision,
                   block + d * key_block);
  }
}

template <class Element>
HeadMemory<Element> load_head(const Projections& p, const AttentionRule& rule, const RotaryTable& rotary,
                              std::size_t head, std::size_t first_row, std::size_t tokens, HeadRows& staged) {
  const std::size_t blocks = (tokens + key_block - 1) / key_block;
  HeadMemory<Element> memory{Aligned<Element>(tokens * rule.shape.head_dim),
                             Aligned<Element>(blocks * rule.shape.value_dim * key_block),
                             {}};
  for (std::size_t first = 0; first < tokens; first += panel_lanes) {
    const std::size_t count = std::min(panel_lanes, tokens - first);
    load_keys(p, rule, rotary, head, first_row, first, count, staged, memory);
    load_values(p, rule, head, first_row, first, count, staged, memory);
  }
  return memory;
}

template <class Element>
void load_queries(const Projections& p, const AttentionRule& rule, const RotaryTable& rotary,
                  std::size_t head, std::size_t first_row, QueryGroup<Element>& group) {
  const std::size_t dim = rule.shape.head_dim;
  for (std::size_t begin = 0; begin < group.queries; begin += panel_lanes) {
    LaneRows<const float> rows{};
    for (std::size_t lane = 0; lane < std::min(panel_lanes, group.queries - begin); ++lane) {
      const std::size_t position = group.first + begin + lane;
      const std::span<float> query = std::span(group.rows.rows).subspan(lane * dim, dim);
      std::ranges::copy(rule.shape.query.of(p.query, first_row + position, head), query.begin());
      prepare(query, p.query_norm, rule, rotary, position);
      rows[lane] = query.data();
    }
    rows_to_panel(rows, dim, group.rows.panel.data());
    store_panel(group.rows.panel.data(), dim, rule.precision, group.query.data() + begin * dim);
  }
  std::ranges::fill(group.output, 0.0f);
  std::ranges::fill(group.maximum, p.sinks.empty() ? masked_score : p.sinks[head]);
  std::ranges::fill(group.sum, p.sinks.empty() ? 0.0f : 1.0f);
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
  const auto lanes_before = [&](std::size_t query) {  // whose queries are earlier
    return std::min(query - std::min(query, first_query), panel_lanes);
  };
  for (std::size_t key = first_key; key < first_key + keys; ++key, scores += panel_lanes) {
    std::fill_n(scores, lanes_before(key), masked_score);
    if (rule.window) std::fill(scores + lanes_before(key + *rule.window), scores + panel_lanes, masked_score);
  }
}

/// Scores of one panel become its shares; what it gathered with the old maximum is rescaled.
template <class Element>
void softmax_panel(const AttentionRule& rule, std::size_t panel, std::size_t first_key, std::size_t keys,
                   QueryGroup<Element>& group) {
  const std::size_t dim = rule.shape.value_dim, first_query = group.first + panel * panel_lanes;
  float* scores = group.scores.data() + panel * key_block * panel_lanes;
  if (rule.window || first_key + keys > first_query) mask_scores(rule, first_query, first_key, keys, scores);
  softmax_step(scores, keys, rule.scale, group.maximum.data() + panel * panel_lanes,
               group.sum.data() + panel * panel_lanes, group.rescale.data());
  scale_lanes(group.output.data() + panel * dim * panel_lanes, dim, group.rescale.data());
  store_panel(scores, keys, rule.precision, group.shares.data() + panel * key_block * panel_lanes);
}

/// softmax(scale q k^T) v for the queries of `group` (FlashAttention's order, arXiv 2205.14135).
template <class Element>
void attend(const HeadMemory<Element>& memory, const AttentionRule& rule, QueryGroup<Element>& group) {
  const std::size_t dim = rule.shape.head_dim, value_dim = rule.shape.value_dim,
                    panel_keys = key_block * panel_lanes;
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
    accumulate_product(memory.value.data() + key * value_dim, key_block, value_dim, keys,
                       {group.shares.data() + first * panel_keys, panel_keys,
                        group.output.data() + first * value_dim * panel_lanes, value_dim * panel_lanes},
                       queries);
  }
}

template <class Element>
void store_output(const HeadMemory<Element>& memory, const AttentionRule& rule, std::size_t head,
                  std::size_t first_row, QueryGroup<Element>& group, Matrix& out) {
  const std::size_t dim = rule.shape.value_dim;
  const auto row_of = [&](std::size_t query) {
    return out.row(first_row + group.first + query).subspan(head * dim, dim);
  };
  for (std::size_t begin = 0; begin < group.queries; begin += panel_lanes) {
    const float *output = group.output.data() + begin * dim, *sum = group.sum.data() + begin;
    float* panel = group.rows.panel.data();
    for (std::size_t d = 0; d < dim; ++d) {
      for (std::size_t lane = 0; lane < panel_lanes; ++lane)
        panel[d * panel_lanes + lane] = output[d * panel_lanes + lane] / sum[lane];
    }
    LaneRows<float> rows{};
    for (std::size_t lane = 0; lane < std::min(panel_lanes, group.queries - begin); ++lane)
      rows[lane] = row_of(begin + lane).data();
    panel_to_rows(panel, dim, rows);
  }
  if (memory.broken.empty()) return;
  for (std::size_t q = 0; q < group.queries; ++q) {
    if (sees_any(rule, group.first + q, memory.broken))
      std::ranges::fill(row_of(q), std::numeric_limits<float>::quiet_NaN());
  }
}

/// Every query head that shares `kv_head`, over one sequence.
template <class Element>
void attend_sequence(const Projections& p, const AttentionRule& rule, const RotaryTable& rotary,
                     std::size_t kv_head, std::size_t first_row, std::size_t tokens, Matrix& out) {
  const std::size_t sharing = rule.shape.queries_per_kv();
  QueryGroup<Element> group(rule.shape);
  const auto memory = load_head<Element>(p, rule, rotary, kv_head, first_row, tokens, group.rows);
  for (std::size_t head = kv_head * sharing; head < (kv_head + 1) * sharing; ++head) {
    for (group.first = 0; group.first < tokens; group.first += group_queries) {
      group.queries = std::min(group_queries, tokens - group.first);
      load_queries(p, rule, rotary, head, first_row, group);
      attend(memory, rule, group);
      store_output(memory, rule, head, first_row, group, out);
    }
  }
}

/// heads (T, heads * value_dim) *= sigmoid(gate), where gates are projected with the queries.
void gate_by_projected(ThreadPool& threads, const Projections& p, const HeadShape& shape, Matrix& heads) {
  if (shape.gate.size == 0) return;
  for_each_row(threads, heads.rows, [&](std::size_t row) {
    float* out = heads.row(row).data();
    for (std::size_t head = 0; head < shape.heads; ++head) {
      for (const float gate : shape.gate.of(p.query, row, head)) *out++ /= 1 + std::exp(-gate);
    }
  });
}

/// heads (T, heads * value_dim) *= sigmoid(W x).
void gate_by_weight(const ForwardContext& context, const Weight& gate, const TokenPanels& x, Matrix& heads) {
  context.take_product(gate, x,
                       [&](std::size_t panel, std::size_t first_row, std::size_t rows, const float* y) {
                         for (std::size_t lane = 0; lane < x.lanes(panel); ++lane) {
                           float* out = heads.row(panel * panel_lanes + lane).data() + first_row;
                           for (std::size_t r = 0; r < rows; ++r)
                             out[r] /= 1 + std::exp(-y[r * panel_lanes + lane]);
                         }
                       });
}

/// Every head of every sequence: (T, heads * value_dim).
Matrix attend_all(const ForwardContext& context, const Projections& projections, const AttentionRule& rule,
                  const RotaryTable& rotary) {
  const std::vector<std::size_t>& start = context.batch.sequence_start;
  Matrix heads(start.back(), rule.shape.heads * rule.shape.value_dim);
  const auto attend_one = panel_format(context.precision) == PanelFormat::pairs ? attend_sequence<Bfloat16>
                                                                                : attend_sequence<float>;
  // Heads are neighbours in memory: where all threads have sequences enough, each takes whole ones.
  constexpr std::size_t enough = 16;
  const std::size_t sequences = start.size() - 1, all_heads = rule.shape.kv_heads,
                    heads_at_once = sequences >= enough * context.threads.threads() ? all_heads : 1,
                    parts = all_heads / heads_at_once;
  context.threads.for_each(sequences * parts, [&](std::size_t task, unsigned) {
    const std::size_t sequence = task / parts, first_head = task % parts * heads_at_once;
    for (std::size_t kv_head = first_head; kv_head < first_head + heads_at_once; ++kv_head) {
      attend_one(projections, rule, rotary, kv_head, start[sequence], start[sequence + 1] - start[sequence],
                 heads);
    }
  });
  gate_by_projected(context.threads, projections, rule.shape, heads);
  return heads;
}

}  // namespace

void attention(const ForwardContext& context, std::int64_t layer, const RotaryTable& rotary, const Matrix& x,
               Matrix& residual) {
  const AttentionRule rule = rule_of_layer(context, layer);
  const Weight* gate = context.model.find({Role::attention_gate, layer});
  TokenPanels input = pack_panels(context.threads, x, context.precision);
  Matrix heads;
  {
    const Projections projections = project(context, layer, input, rule);
    if (gate == nullptr) input = {};  // its memory is that of `heads`
    heads = attend_all(context, projections, rule, rotary);
  }
  if (gate != nullptr) gate_by_weight(context, *gate, input, heads);
  const TokenPanels panels = pack_panels(context.threads, heads, context.precision);
  context.take_product(Role::attention_output, layer, panels, add_rows(panels, residual));
  add_bias(context.threads, residual, context.take_if_present(Role::attention_output_bias, layer));
}

}  // namespace moescope
