#include "analysis/kernels/gated_delta_rule.h"

#include <algorithm>
#include <cmath>

namespace moescope {
namespace {

constexpr std::size_t chunk_panels = delta_chunk / panel_lanes;

std::size_t panels_of(std::size_t lanes) {
  return (lanes + panel_lanes - 1) / panel_lanes;
}

/// x (tokens, features) as panels with a token in each lane: (panels, features, 16).
void pack_tokens(std::span<const float> x, std::size_t tokens, std::size_t features, float* panels) {
  std::fill_n(panels, panels_of(tokens) * features * panel_lanes, 0.0f);
  for (std::size_t t = 0; t < tokens; ++t) {
    float* panel = panels + t / panel_lanes * features * panel_lanes + t % panel_lanes;
    for (std::size_t f = 0; f < features; ++f) panel[f * panel_lanes] = x[t * features + f];
  }
}

/// (tokens, features) as panels with a feature in each lane: (panels, delta_chunk, 16).
void pack_features(std::span<const float> x, std::size_t tokens, std::size_t features, float* panels) {
  std::fill_n(panels, panels_of(features) * delta_chunk * panel_lanes, 0.0f);
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t f = 0; f < features; ++f) {
      panels[(f / panel_lanes * delta_chunk + t) * panel_lanes + f % panel_lanes] = x[t * features + f];
    }
  }
}

/// Of a lower triangle with ones on the diagonal, whose entries below it are given: forward substitution.
DeltaTriangle inverse(const DeltaTriangle& below) {
  DeltaTriangle result{};
  for (std::size_t column = 0; column < panel_lanes; ++column) {
    result[column * panel_lanes + column] = 1;
    for (std::size_t row = column + 1; row < panel_lanes; ++row) {
      double sum = 0;
      for (std::size_t k = column; k < row; ++k)
        sum -= below[row * panel_lanes + k] * result[k * panel_lanes + column];
      result[row * panel_lanes + column] = sum;
    }
  }
  return result;
}

}  // namespace

DeltaKeys::DeltaKeys(std::size_t features)
    : features_(features),
      keys_(delta_chunk * features),
      queries_(delta_chunk * features),
      key_panels_(delta_chunk * features),
      query_panels_(delta_chunk * features),
      feature_panels_(panels_of(features) * delta_chunk * panel_lanes),
      key_products_(chunk_panels * delta_chunk * panel_lanes),
      query_products_(chunk_panels * delta_chunk * panel_lanes) {}

void DeltaKeys::assign(std::size_t tokens, std::span<const float> keys, std::span<const float> queries) {
  tokens_ = tokens;
  std::ranges::copy(keys, keys_.begin());
  std::ranges::copy(queries, queries_.begin());
  pack_tokens(keys, tokens, features_, key_panels_.data());
  pack_tokens(queries, tokens, features_, query_panels_.data());
  pack_features(keys, tokens, features_, feature_panels_.data());
  std::ranges::fill(key_products_, 0.0f);
  std::ranges::fill(query_products_, 0.0f);
  constexpr std::size_t stride = delta_chunk * panel_lanes;
  accumulate_product(keys_.data(), features_, tokens, features_,
                     {key_panels_.data(), features_ * panel_lanes, key_products_.data(), stride}, tokens);
  accumulate_product(keys_.data(), features_, tokens, features_,
                     {query_panels_.data(), features_ * panel_lanes, query_products_.data(), stride}, tokens);
}

DeltaMemory::DeltaMemory(std::size_t key_features, std::size_t value_features)
    : key_features_(key_features),
      value_features_(value_features),
      memory_(value_features * key_features),
      decay_(delta_chunk),
      known_(delta_chunk * value_features),
      read_(delta_chunk * value_features),
      changes_(value_features * delta_chunk),
      weights_(delta_chunk * panel_lanes),
      right_(value_features * panel_lanes),
      solved_(value_features * panel_lanes) {
  std::ranges::fill(memory_, 0.0f);
}

void DeltaMemory::set_decays(std::size_t tokens, std::span<const float> log_decay) {
  double sum = 0;
  for (std::size_t t = 0; t < delta_chunk; ++t) decay_[t] = t < tokens ? sum += double{log_decay[t]} : sum;
}

float DeltaMemory::decay_between(std::size_t later, std::size_t earlier) const {
  return std::exp(static_cast<float>(decay_[later] - decay_[earlier]));
}

/// What the memory before the chunk holds under each key, and for each query, not yet decayed.
void DeltaMemory::read_memory(const DeltaKeys& keys) {
  const std::size_t stride = value_features_ * panel_lanes, width = key_features_ * panel_lanes;
  std::ranges::fill(known_, 0.0f);
  std::ranges::fill(read_, 0.0f);
  accumulate_product(memory_.data(), key_features_, value_features_, key_features_,
                     {keys.key_panels_.data(), width, known_.data(), stride}, keys.tokens());
  accumulate_product(memory_.data(), key_features_, value_features_, key_features_,
                     {keys.query_panels_.data(), width, read_.data(), stride}, keys.tokens());
}

/// What 16 tokens would write if none of them saw another's change, in right_; how much each sees of the
/// changes before them, negative, in weights_; and of each other's, in the result.
DeltaTriangle DeltaMemory::weigh_changes(const DeltaKeys& keys, std::size_t panel,
                                         std::span<const float> values, std::span<const float> beta) {
  const std::size_t first = panel * panel_lanes, lanes = std::min(panel_lanes, keys.tokens() - first);
  const float* products = keys.key_products_.data() + panel * delta_chunk * panel_lanes;
  const float* known = known_.data() + panel * value_features_ * panel_lanes;
  std::ranges::fill(right_, 0.0f);
  std::ranges::fill(weights_, 0.0f);
  DeltaTriangle below{};
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    const std::size_t token = first + lane;
    const float decay = std::exp(static_cast<float>(decay_[token]));
    for (std::size_t d = 0; d < value_features_; ++d) {
      const float change = values[token * value_features_ + d] - decay * known[d * panel_lanes + lane];
      right_[d * panel_lanes + lane] = beta[token] * change;
    }
    for (std::size_t before = 0; before < token; ++before) {
      const float seen = beta[token] * decay_between(token, before) * products[before * panel_lanes + lane];
      if (before < first) {
        weights_[before * panel_lanes + lane] = -seen;
      } else {
        below[lane * panel_lanes + before - first] = double{seen};
      }
    }
  }
  return below;
}

/// The changes u that 16 tokens write: u_i = beta_i (v_i - what is known under k_i by then), where each of
/// them sees the changes of those before it.
void DeltaMemory::solve_panel(const DeltaKeys& keys, std::size_t panel, std::span<const float> values,
                              std::span<const float> beta) {
  const std::size_t first = panel * panel_lanes;
  const DeltaTriangle solution = inverse(weigh_changes(keys, panel, values, beta));
  accumulate_product(changes_.data(), delta_chunk, value_features_, first,
                     {weights_.data(), 0, right_.data(), 0}, panel_lanes);
  for (std::size_t lane = 0; lane < panel_lanes; ++lane) {
    for (std::size_t k = 0; k < panel_lanes; ++k)
      weights_[k * panel_lanes + lane] = static_cast<float>(solution[lane * panel_lanes + k]);
  }
  std::ranges::fill(solved_, 0.0f);
  accumulate_product(right_.data(), panel_lanes, value_features_, panel_lanes,
                     {weights_.data(), 0, solved_.data(), 0}, panel_lanes);
  for (std::size_t d = 0; d < value_features_; ++d)
    std::copy_n(&solved_[d * panel_lanes], panel_lanes, &changes_[d * delta_chunk + first]);
}

bool DeltaMemory::changes_are_finite(std::size_t tokens) const {
  for (std::size_t d = 0; d < value_features_; ++d) {
    const std::span<const float> of_feature(&changes_[d * delta_chunk], tokens);
    if (!std::ranges::all_of(of_feature, [](float value) { return std::isfinite(value); })) return false;
  }
  return true;
}

/// What 16 queries read: of the memory before the chunk, and of the changes up to each of them.
void DeltaMemory::read_panel(const DeltaKeys& keys, std::size_t panel, std::span<float> outputs) {
  const std::size_t first = panel * panel_lanes, lanes = std::min(panel_lanes, keys.tokens() - first);
  const float* products = keys.query_products_.data() + panel * delta_chunk * panel_lanes;
  float* read = read_.data() + panel * value_features_ * panel_lanes;
  std::ranges::fill(weights_, 0.0f);
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    const std::size_t token = first + lane;
    const float decay = std::exp(static_cast<float>(decay_[token]));
    for (std::size_t d = 0; d < value_features_; ++d) read[d * panel_lanes + lane] *= decay;
    for (std::size_t before = 0; before <= token; ++before) {
      weights_[before * panel_lanes + lane] =
          decay_between(token, before) * products[before * panel_lanes + lane];
    }
  }
  accumulate_product(changes_.data(), delta_chunk, value_features_, first + lanes,
                     {weights_.data(), 0, read, 0}, panel_lanes);
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    for (std::size_t d = 0; d < value_features_; ++d)
      outputs[(first + lane) * value_features_ + d] = read[d * panel_lanes + lane];
  }
}

/// The memory after the chunk.
void DeltaMemory::write_changes(const DeltaKeys& keys) {
  const std::size_t last = keys.tokens() - 1;
  for (std::size_t t = 0; t <= last; ++t) {
    const float decay = decay_between(last, t);
    for (std::size_t d = 0; d < value_features_; ++d) changes_[d * delta_chunk + t] *= decay;
  }
  const float decay = std::exp(static_cast<float>(decay_[last]));
  for (std::size_t first = 0; first < key_features_; first += panel_lanes) {
    const std::size_t lanes = std::min(panel_lanes, key_features_ - first);
    for (std::size_t d = 0; d < value_features_; ++d) {
      for (std::size_t lane = 0; lane < panel_lanes; ++lane)
        right_[d * panel_lanes + lane] = lane < lanes ? decay * memory_[d * key_features_ + first + lane] : 0;
    }
    accumulate_product(changes_.data(), delta_chunk, value_features_, keys.tokens(),
                       {keys.feature_panels_.data() + first * delta_chunk, 0, right_.data(), 0}, panel_lanes);
    for (std::size_t d = 0; d < value_features_; ++d)
      std::copy_n(&right_[d * panel_lanes], lanes, &memory_[d * key_features_ + first]);
  }
}

void DeltaMemory::advance(const DeltaKeys& keys, std::span<const float> values,
                          std::span<const float> log_decay, std::span<const float> beta,
                          std::span<float> outputs) {
  set_decays(keys.tokens(), log_decay);
  read_memory(keys);
  std::ranges::fill(changes_, 0.0f);
  for (std::size_t panel = 0; panel < panels_of(keys.tokens()); ++panel)
    solve_panel(keys, panel, values, beta);
  // A product with zeros in place of what comes later would carry NaN to earlier tokens.
  if (!changes_are_finite(keys.tokens())) return advance_singly(keys, values, log_decay, beta, outputs);
  for (std::size_t panel = 0; panel < panels_of(keys.tokens()); ++panel) read_panel(keys, panel, outputs);
  write_changes(keys);
}

void DeltaMemory::advance_singly(const DeltaKeys& keys, std::span<const float> values,
                                 std::span<const float> log_decay, std::span<const float> beta,
                                 std::span<float> outputs) {
  for (std::size_t t = 0; t < keys.tokens(); ++t) {
    const auto key = keys.key(t), query = keys.query(t);
    const float decay = std::exp(log_decay[t]);
    for (std::size_t d = 0; d < value_features_; ++d) {
      const std::span<float> row(&memory_[d * key_features_], key_features_);
      float known = 0, read = 0;
      for (std::size_t f = 0; f < key_features_; ++f) known += (row[f] *= decay) * key[f];
      const float change = beta[t] * (values[t * value_features_ + d] - known);
      for (std::size_t f = 0; f < key_features_; ++f) read += (row[f] += key[f] * change) * query[f];
      outputs[t * value_features_ + d] = read;
    }
  }
}

}  // namespace moescope
