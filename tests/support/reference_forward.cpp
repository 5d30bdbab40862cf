#include "tests/support/reference_forward.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace moescope {
namespace {

using Row = std::vector<double>;
using Rows = std::vector<Row>;  // one a token

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

Row softmax(Row z) {
  const double largest = *std::ranges::max_element(z);
  for (double& value : z) value = std::exp(value - largest);
  const double sum = std::accumulate(z.begin(), z.end(), 0.0);
  for (double& value : z) value /= sum;
  return z;
}

Row normalised(Row x, const Row& gain, double epsilon) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  const double root = std::sqrt(squares / static_cast<double>(x.size()) + epsilon);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = x[i] / root * gain[i];
  return x;
}

void add_to(Row& sum, const Row& x, double factor = 1) {
  for (std::size_t i = 0; i < x.size(); ++i) sum[i] += factor * x[i];
}

Row part_of(const Row& x, std::size_t first, std::size_t count) {
  const auto begin = x.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

/// As complex numbers, whose real and imaginary parts are the halves of what is rotated.
void rotate_head(Row& x, const RotaryScheme& rotary, std::size_t position) {
  const auto features = static_cast<std::size_t>(rotary.features);
  for (std::size_t i = 0; i < features / 2; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(features);
    const double angle = static_cast<double>(position) * std::pow(rotary.base, exponent);
    const double real = x[i], imaginary = x[i + features / 2];
    x[i] = real * std::cos(angle) - imaginary * std::sin(angle);
    x[i + features / 2] = real * std::sin(angle) + imaginary * std::cos(angle);
  }
}

/// Indices of values, the largest first, the lower index first among equals.
std::vector<std::size_t> ranked(const Row& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  return order;
}

/// Selection scores, those of experts outside the best groups at minus infinity.
Row within_groups(Row selection, const RoutingScheme& scheme) {
  const auto groups = static_cast<std::size_t>(scheme.groups);
  const std::size_t size = selection.size() / groups;
  Row group(groups);
  for (std::size_t g = 0; g < groups; ++g) {
    Row members = part_of(selection, g * size, size);
    std::ranges::sort(members, std::greater<>());
    group[g] = members[0] + (scheme.group_score == GroupScore::best_two && size > 1 ? members[1] : 0);
  }
  const std::vector<std::size_t> order = ranked(group);
  for (std::size_t rank = static_cast<std::size_t>(scheme.kept_groups); rank < groups; ++rank) {
    for (std::size_t e = order[rank] * size; e < (order[rank] + 1) * size; ++e)
      selection[e] = -std::numeric_limits<double>::infinity();
  }
  return selection;
}

class Reference {
 public:
  Reference(const Checkpoint& checkpoint, const ModelWeights& model)
      : checkpoint_(checkpoint), config_(checkpoint.config()), model_(model) {}

  ReferencePass run(std::span<const std::uint32_t> token_id);

 private:
  Row values(Role role, std::int64_t layer = -1, std::int64_t expert = -1) const;
  Row multiply(const WeightKey& matrix, const Row& x) const;
  Row gated(Role gate, Role up, Role down, std::int64_t layer, std::int64_t expert, const Row& x) const;
  Row project(Role matrix, Role bias, std::int64_t layer, const Row& x) const;
  Row normalised_heads(Role norm, std::int64_t layer, Row x) const;
  Row rotated_heads(Row x, std::size_t position) const;
  Row attend(std::int64_t layer, std::size_t position, const Row& query, const Rows& key,
             const Rows& value) const;
  Rows attention(std::int64_t layer, const Rows& x) const;
  Row mixture(std::int64_t layer, const Row& x);
  Row logits(const Row& x) const;

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  const ModelWeights& model_;
  ReferencePass pass_;
};

/// Empty if the model has no such weight.
Row Reference::values(Role role, std::int64_t layer, std::int64_t expert) const {
  const Weight* weight = model_.find({role, layer, expert});
  if (weight == nullptr) return {};
  std::vector<float> stored(weight->size());
  checkpoint_.shards()[weight->shard].read(weight->offset, std::as_writable_bytes(std::span(stored)));
  return {stored.begin(), stored.end()};
}

Row Reference::multiply(const WeightKey& matrix, const Row& x) const {
  const Row w = values(matrix.role, matrix.layer, matrix.expert);
  Row y(w.size() / x.size());
  for (std::size_t r = 0; r < y.size(); ++r) {
    for (std::size_t i = 0; i < x.size(); ++i) y[r] += w[r * x.size() + i] * x[i];
  }
  return y;
}

Row Reference::gated(Role gate, Role up, Role down, std::int64_t layer, std::int64_t expert,
                     const Row& x) const {
  Row hidden = multiply({gate, layer, expert}, x);
  const Row factor = multiply({up, layer, expert}, x);
  for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] *= sigmoid(hidden[i]) * factor[i];
  return multiply({down, layer, expert}, hidden);
}

Row Reference::project(Role matrix, Role bias, std::int64_t layer, const Row& x) const {
  Row y = multiply({matrix, layer}, x);
  add_to(y, values(bias, layer));
  return y;
}

Row Reference::normalised_heads(Role norm, std::int64_t layer, Row x) const {
  const QueryKeyNorm kind = config_.attention.query_key_norm;
  if (kind == QueryKeyNorm::none) return x;
  const Row gain = values(norm, layer);
  if (kind == QueryKeyNorm::full_width) return normalised(x, gain, config_.rms_norm_eps);
  Row heads;
  for (std::size_t first = 0; first < x.size(); first += gain.size()) {
    const Row head = normalised(part_of(x, first, gain.size()), gain, config_.rms_norm_eps);
    heads.insert(heads.end(), head.begin(), head.end());
  }
  return heads;
}

Row Reference::rotated_heads(Row x, std::size_t position) const {
  const auto dim = static_cast<std::size_t>(config_.head_dim);
  for (std::size_t first = 0; first < x.size(); first += dim) {
    Row head = part_of(x, first, dim);
    rotate_head(head, config_.attention.rotary, position);
    std::ranges::copy(head, x.begin() + static_cast<std::ptrdiff_t>(first));
  }
  return x;
}

Row Reference::attend(std::int64_t layer, std::size_t position, const Row& query, const Rows& key,
                      const Rows& value) const {
  const auto dim = static_cast<std::size_t>(config_.head_dim);
  const std::size_t sharing = query.size() / key[0].size();
  const auto window = config_.attention.window_in(layer);
  const std::size_t first = window ? position - std::min(position, static_cast<std::size_t>(*window) - 1) : 0;
  Row out(query.size());
  for (std::size_t head = 0; head < query.size() / dim; ++head) {
    const std::size_t shared = head / sharing * dim;
    Row score;
    for (std::size_t k = first; k <= position; ++k) {
      const Row q = part_of(query, head * dim, dim), other = part_of(key[k], shared, dim);
      score.push_back(std::inner_product(q.begin(), q.end(), other.begin(), 0.0) /
                      std::sqrt(static_cast<double>(dim)));
    }
    const Row share = softmax(score);
    for (std::size_t k = first; k <= position; ++k) {
      for (std::size_t d = 0; d < dim; ++d) out[head * dim + d] += share[k - first] * value[k][shared + d];
    }
  }
  return out;
}

Rows Reference::attention(std::int64_t layer, const Rows& x) const {
  Rows query, key, value, out;
  for (std::size_t t = 0; t < x.size(); ++t) {
    const Row q = project(Role::query, Role::query_bias, layer, x[t]),
              k = project(Role::key, Role::key_bias, layer, x[t]);
    query.push_back(rotated_heads(normalised_heads(Role::query_norm, layer, q), t));
    key.push_back(rotated_heads(normalised_heads(Role::key_norm, layer, k), t));
    value.push_back(project(Role::value, Role::value_bias, layer, x[t]));
  }
  for (std::size_t t = 0; t < x.size(); ++t) {
    out.push_back(project(Role::attention_output, Role::attention_output_bias, layer,
                          attend(layer, t, query[t], key, value)));
  }
  return out;
}

Row Reference::mixture(std::int64_t layer, const Row& x) {
  const RoutingScheme& scheme = config_.routing;
  Row scores = multiply({Role::router, layer}, x);
  if (scheme.score == ScoreFunction::softmax) scores = softmax(scores);
  if (scheme.score == ScoreFunction::sigmoid) std::ranges::transform(scores, scores.begin(), sigmoid);
  Row selection = scores;
  add_to(selection, values(Role::score_correction_bias, layer));
  std::vector<std::size_t> chosen = ranked(within_groups(selection, scheme));
  chosen.resize(static_cast<std::size_t>(config_.num_experts_per_tok));
  double sum = 0;
  for (const std::size_t e : chosen) sum += scores[e];
  Row out(x.size());
  for (const std::size_t e : chosen) {
    const double weight = scores[e] / (scheme.renormalise ? sum + scheme.epsilon : 1) * scheme.scale;
    add_to(
        out,
        gated(Role::expert_gate, Role::expert_up, Role::expert_down, layer, static_cast<std::int64_t>(e), x),
        weight);
    pass_.experts[layer].push_back(static_cast<std::uint16_t>(e));
    pass_.expert_weights[layer].push_back(weight);
  }
  if (config_.n_shared_experts > 0)
    add_to(out, gated(Role::shared_gate, Role::shared_up, Role::shared_down, layer, -1, x));
  std::ranges::copy(scores, std::back_inserter(pass_.scores[layer]));
  return out;
}

Row Reference::logits(const Row& x) const {
  const Row normed = normalised(x, values(Role::final_norm), config_.rms_norm_eps);
  return multiply({config_.tie_word_embeddings ? Role::embedding : Role::head}, normed);
}

ReferencePass Reference::run(std::span<const std::uint32_t> token_id) {
  const Row table = values(Role::embedding);
  const auto width = static_cast<std::size_t>(config_.hidden_size);
  Rows x;
  for (const std::uint32_t id : token_id) x.push_back(part_of(table, id * width, width));
  for (std::int64_t layer = 0; layer < config_.num_hidden_layers; ++layer) {
    const auto normed = [&](Role role) {
      Rows rows;
      for (const Row& row : x) rows.push_back(normalised(row, values(role, layer), config_.rms_norm_eps));
      return rows;
    };
    const Rows attended = attention(layer, normed(Role::input_norm));
    for (std::size_t t = 0; t < x.size(); ++t) add_to(x[t], attended[t]);
    const Rows input = normed(Role::post_attention_norm);
    Row all;
    for (std::size_t t = 0; t < x.size(); ++t) {
      add_to(x[t], config_.is_moe_layer(layer)
                       ? mixture(layer, input[t])
                       : gated(Role::dense_gate, Role::dense_up, Role::dense_down, layer, -1, input[t]));
      all.insert(all.end(), x[t].begin(), x[t].end());
    }
    pass_.hidden.push_back(std::move(all));
  }
  for (std::size_t t = 0; t + 1 < x.size(); ++t)
    pass_.nll.push_back(-std::log(softmax(logits(x[t]))[token_id[t + 1]]));
  pass_.nll.push_back(std::numeric_limits<double>::quiet_NaN());
  return std::move(pass_);
}

}  // namespace

ReferencePass reference_forward(const Checkpoint& checkpoint, const ModelWeights& model,
                                std::span<const std::uint32_t> token_id) {
  return Reference(checkpoint, model).run(token_id);
}

}  // namespace moescope
