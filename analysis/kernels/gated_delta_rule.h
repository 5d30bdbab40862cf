#pragma once
/// The recurrence of Gated DeltaNet (Yang, Kautz & Hatamizadeh, arXiv 2412.06464), over one sequence and
/// head.
///
/// A memory M (key features, value features), zero at first, goes through the tokens: M decays by the factor
/// g; of what it knows under the key k, the share beta is replaced by the value v; the query q reads it:
///
///   M = g M (I - beta k k^T as it acts on keys) + k (beta v)^T,  y = M^T q            (equation 10)
///
/// It is computed in chunks of tokens, as products (section 3.3 with the UT transform of Yang et al., arXiv
/// 2406.06484, equations 10 and 11), in float32; decays stay logarithms, so that only ratios of at most 1 are
/// formed. The bytes depend on the tokens from the sequence's beginning to the end of a token's chunk alone.
/// A number that is not finite reaches its own token and later ones, none before.

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "analysis/kernels/activations.h"

namespace moescope {

/// Tokens that are taken at once.
inline constexpr std::size_t delta_chunk = 64;

/// Keys and queries of one chunk of tokens, of one head; several memories may read with the same.
class DeltaKeys {
 public:
  explicit DeltaKeys(std::size_t features);

  std::size_t features() const { return features_; }
  std::size_t tokens() const { return tokens_; }
  /// (tokens, features) each, token-major; at most delta_chunk tokens.
  void assign(std::size_t tokens, std::span<const float> keys, std::span<const float> queries);
  std::span<const float> key(std::size_t token) const { return {&keys_[token * features_], features_}; }
  std::span<const float> query(std::size_t token) const { return {&queries_[token * features_], features_}; }

 private:
  friend class DeltaMemory;
  std::size_t features_, tokens_ = 0;
  AlignedFloats keys_, queries_;             // (delta_chunk, features), zeros beyond the tokens
  AlignedFloats key_panels_, query_panels_;  // (delta_chunk / 16, features, 16): a token is a lane
  AlignedFloats feature_panels_;             // of keys: (features / 16, delta_chunk, 16): a feature is a lane
  AlignedFloats key_products_, query_products_;  // with the keys: (delta_chunk / 16, delta_chunk, 16)
};

/// How 16 tokens see each other's changes: (16, 16), below the diagonal.
using DeltaTriangle = std::array<double, panel_lanes * panel_lanes>;

/// Not thread-safe: one memory, one thread.
class DeltaMemory {
 public:
  DeltaMemory(std::size_t key_features, std::size_t value_features);

  /// Takes the next tokens of the sequence, those of `keys`. values, outputs: (tokens, value features);
  /// log_decay, beta: (tokens). The chunks of a sequence are whole but for the last.
  void advance(const DeltaKeys& keys, std::span<const float> values, std::span<const float> log_decay,
               std::span<const float> beta, std::span<float> outputs);
  /// The same, token by token, as the recurrence is written.
  void advance_singly(const DeltaKeys& keys, std::span<const float> values, std::span<const float> log_decay,
                      std::span<const float> beta, std::span<float> outputs);

 private:
  void set_decays(std::size_t tokens, std::span<const float> log_decay);
  float decay_between(std::size_t later, std::size_t earlier) const;
  void read_memory(const DeltaKeys& keys);
  DeltaTriangle weigh_changes(const DeltaKeys& keys, std::size_t panel, std::span<const float> values,
                              std::span<const float> beta);
  void solve_panel(const DeltaKeys& keys, std::size_t panel, std::span<const float> values,
                   std::span<const float> beta);
  bool changes_are_finite(std::size_t tokens) const;
  void read_panel(const DeltaKeys& keys, std::size_t panel, std::span<float> outputs);
  void write_changes(const DeltaKeys& keys);

  std::size_t key_features_, value_features_;
  AlignedFloats memory_;                    // (value features, key features)
  std::vector<double> decay_;               // (delta_chunk): logarithms, summed from the chunk's beginning
  AlignedFloats known_, read_;              // under keys, by queries: (delta_chunk / 16, value features, 16)
  AlignedFloats changes_;                   // what is written: (value features, delta_chunk)
  AlignedFloats weights_, right_, solved_;  // of one panel: (delta_chunk, 16), (value features, 16) twice
};

}  // namespace moescope
