#include "analysis/forward/linear_attention.h"

#include <algorithm>
#include <cmath>

#include "analysis/forward/head_slice.h"
#include "analysis/kernels/gated_delta_rule.h"
#include "analysis/kernels/rms_norm.h"

namespace moescope {
namespace {

/// Where one layer's projections have what a head reads: rows by key head, or all of a kind together.
struct LinearShape {
  std::size_t key_heads = 0, value_heads = 0, key_features = 0, value_features = 0, taps = 0;
  HeadSlice query = {}, key = {}, value = {}, gate = {}, beta = {}, decay = {};
  /// Of the convolution's channels, which are all queries, all keys, all values.
  HeadSlice query_channel = {}, key_channel = {}, value_channel = {};

  std::size_t sharing() const { return value_heads / key_heads; }
};

/// What one layer's heads read.
struct LinearProjections {
  Matrix mixed;        // (T, ...): queries, keys, values, and where they are by key head the gates
  Matrix gate;         // (T, values); empty: they lie in mixed
  Matrix beta, decay;  // (T, value heads); of both, by key head, where decay is empty
  std::vector<float> convolution;  // (channels, taps), the last tap that of the token itself
  std::vector<float> decay_bias, decay_rate, head_norm;

  const Matrix& gates() const { return gate.rows > 0 ? gate : mixed; }
  const Matrix& decays() const { return decay.rows > 0 ? decay : beta; }
};

/// All of a kind together.
HeadSlice slice_of(std::size_t first, std::size_t size) {
  return {size, first, size};
}

LinearShape linear_shape(const LinearScheme& scheme, bool by_key_head) {
  LinearShape shape{.key_heads = static_cast<std::size_t>(scheme.key_heads),
                    .value_heads = static_cast<std::size_t>(scheme.value_heads),
                    .key_features = static_cast<std::size_t>(scheme.key_features),
                    .value_features = static_cast<std::size_t>(scheme.value_features),
                    .taps = static_cast<std::size_t>(scheme.taps)};
  const std::size_t keys = shape.key_heads * shape.key_features, dk = shape.key_features,
                    dv = shape.value_features, sharing = shape.sharing();
  shape.query_channel = slice_of(0, dk);
  shape.key_channel = slice_of(keys, dk);
  shape.value_channel = slice_of(2 * keys, dv);
  if (by_key_head) {
    const std::size_t stride = 2 * (dk + sharing * dv);
    shape.query = {stride, 0, dk};
    shape.key = {stride, dk, dk};
    shape.value = {stride, 2 * dk, dv, sharing};
    shape.gate = {stride, 2 * dk + sharing * dv, dv, sharing};
    shape.beta = {2 * sharing, 0, 1, sharing};
    shape.decay = {2 * sharing, sharing, 1, sharing};
  } else {
    shape.query = shape.query_channel;
    shape.key = shape.key_channel;
    shape.value = shape.value_channel;
    shape.gate = slice_of(0, dv);
    shape.beta = shape.decay = slice_of(0, 1);
  }
  return shape;
}

LinearProjections project(const ForwardContext& context, std::int64_t layer, const Matrix& x,
                          bool by_key_head) {
  const TokenPanels panels = pack_panels(context.threads, x, context.precision);
  LinearProjections p;
  if (by_key_head) {
    p.mixed = context.take_projection(Role::linear_query_key_value_gate, layer, panels);
    p.beta = context.take_projection(Role::linear_beta_decay, layer, panels);
  } else {
    p.mixed = context.take_projection(Role::linear_query_key_value, layer, panels);
    p.gate = context.take_projection(Role::linear_output_gate, layer, panels);
    p.beta = context.take_projection(Role::linear_beta, layer, panels);
    p.decay = context.take_projection(Role::linear_decay, layer, panels);
  }
  p.convolution = context.take(Role::linear_convolution, layer);
  p.decay_bias = context.take(Role::linear_decay_bias, layer);
  p.decay_rate = context.take(Role::linear_decay_rate, layer);
  p.head_norm = context.take(Role::linear_head_norm, layer);
  return p;
}

float sigmoid(float x) {
  return 1 / (1 + std::exp(-x));
}

float silu(float x) {
  return x * sigmoid(x);
}

/// log(1 + exp(x)).
float softplus(float x) {
  return std::max(x, 0.0f) + std::log1p(std::exp(-std::fabs(x)));
}

/// To length 1, times a factor.
void normalise(std::span<float> x, float factor) {
  constexpr float epsilon = 1e-6f;  // the reference's
  float squares = 0;
  for (const float value : x) squares += value * value;
  const float scale = factor / std::sqrt(squares + epsilon);
  for (float& value : x) value *= scale;
}

/// One sequence of one layer, as its heads go through it.
class LinearSequence {
 public:
  LinearSequence(const LinearProjections& p, const LinearShape& shape, double epsilon, std::size_t first_row,
                 std::size_t tokens)
      : p_(p), shape_(shape), epsilon_(epsilon), first_row_(first_row), tokens_(tokens) {}

  /// All value heads that share a key head; heads: (T, values).
  void run(std::size_t key_head, Matrix& heads) const;

 private:
  void load(const HeadSlice& slice, const HeadSlice& channel, std::size_t head, std::size_t token,
            std::span<float> out) const;
  void load_keys(std::size_t key_head, std::size_t first, std::size_t tokens, DeltaKeys& keys) const;
  void advance(std::size_t head, std::size_t first, const DeltaKeys& keys, DeltaMemory& memory,
               Matrix& heads) const;
  float log_decay(std::size_t head, std::size_t row) const {
    return -std::exp(p_.decay_rate[head]) *
           softplus(shape_.decay.of(p_.decays(), row, head)[0] + p_.decay_bias[head]);
  }

  const LinearProjections& p_;
  const LinearShape& shape_;
  double epsilon_;
  std::size_t first_row_, tokens_;
};

/// A head's features after the convolution over this token and those before it in the sequence.
void LinearSequence::load(const HeadSlice& slice, const HeadSlice& channel, std::size_t head,
                          std::size_t token, std::span<float> out) const {
  const float* weights = p_.convolution.data() + channel.place(head) * shape_.taps;
  std::ranges::fill(out, 0.0f);
  for (std::size_t back = std::min(token, shape_.taps - 1) + 1; back-- > 0;) {
    const auto in = slice.of(p_.mixed, first_row_ + token - back, head);
    const std::size_t tap = shape_.taps - 1 - back;
    for (std::size_t f = 0; f < out.size(); ++f) out[f] += weights[f * shape_.taps + tap] * in[f];
  }
  for (float& value : out) value = silu(value);
}

void LinearSequence::load_keys(std::size_t key_head, std::size_t first, std::size_t tokens,
                               DeltaKeys& keys) const {
  const std::size_t features = shape_.key_features;
  const float scale = 1 / std::sqrt(static_cast<float>(features));
  std::vector<float> key(tokens * features), query(tokens * features);
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::span<float> of_key(&key[t * features], features), of_query(&query[t * features], features);
    load(shape_.key, shape_.key_channel, key_head, first + t, of_key);
    load(shape_.query, shape_.query_channel, key_head, first + t, of_query);
    normalise(of_key, 1);
    normalise(of_query, scale);
  }
  keys.assign(tokens, key, query);
}

/// One value head through one chunk: what it reads, normalised and gated.
void LinearSequence::advance(std::size_t head, std::size_t first, const DeltaKeys& keys, DeltaMemory& memory,
                             Matrix& heads) const {
  const std::size_t tokens = keys.tokens(), features = shape_.value_features;
  std::vector<float> values(tokens * features), outputs(tokens * features), decays(tokens), betas(tokens);
  for (std::size_t t = 0; t < tokens; ++t) {
    load(shape_.value, shape_.value_channel, head, first + t,
         std::span(values).subspan(t * features, features));
    decays[t] = log_decay(head, first_row_ + first + t);
    betas[t] = sigmoid(shape_.beta.of(p_.beta, first_row_ + first + t, head)[0]);
  }
  memory.advance(keys, values, decays, betas, outputs);
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::size_t row = first_row_ + first + t;
    const std::span<float> output = std::span(outputs).subspan(t * features, features);
    rms_norm(output, p_.head_norm, epsilon_);
    const auto gate = shape_.gate.of(p_.gates(), row, head);
    const auto out = heads.row(row).subspan(head * features, features);
    for (std::size_t f = 0; f < features; ++f) out[f] = output[f] * silu(gate[f]);
  }
}

void LinearSequence::run(std::size_t key_head, Matrix& heads) const {
  const std::size_t sharing = shape_.sharing();
  DeltaKeys keys(shape_.key_features);
  std::vector<DeltaMemory> memories(sharing, DeltaMemory(shape_.key_features, shape_.value_features));
  for (std::size_t first = 0; first < tokens_; first += delta_chunk) {
    load_keys(key_head, first, std::min(delta_chunk, tokens_ - first), keys);
    for (std::size_t i = 0; i < sharing; ++i)
      advance(key_head * sharing + i, first, keys, memories[i], heads);
  }
}

}  // namespace

void linear_attention(const ForwardContext& context, std::int64_t layer, const Matrix& x, Matrix& residual) {
  const bool by_key_head = context.model.find({Role::linear_query_key_value_gate, layer}) != nullptr;
  const LinearShape shape = linear_shape(*context.config.attention.linear, by_key_head);
  Matrix heads(x.rows, shape.value_heads * shape.value_features);
  {
    const LinearProjections projections = project(context, layer, x, by_key_head);
    const std::vector<std::size_t>& start = context.batch.sequence_start;
    context.threads.for_each((start.size() - 1) * shape.key_heads, [&](std::size_t task, unsigned) {
      const std::size_t sequence = task / shape.key_heads;
      const LinearSequence of(projections, shape, context.config.rms_norm_eps, start[sequence],
                              start[sequence + 1] - start[sequence]);
      of.run(task % shape.key_heads, heads);
    });
  }
  const TokenPanels panels = pack_panels(context.threads, heads, context.precision);
  context.take_product(Role::linear_output, layer, panels, add_rows(panels, residual));
}

}  // namespace moescope
