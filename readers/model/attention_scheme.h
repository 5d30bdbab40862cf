#pragma once
/// How attention normalises, rotates and limits what its projections give.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace moescope {

/// RMSNorm of queries and keys, before they are rotated: of each head by itself with one gain (head_dim) for
/// all, or of all heads together (heads * head_dim).
enum class QueryKeyNorm : std::uint8_t { none, per_head, full_width };

/// Rotary embedding: feature i turns with feature i + features / 2, at position * base^(-2i / features).
struct RotaryScheme {
  double base = 0;
  std::int64_t features = 0;  // of each head, from its first; the others are left as they are

  bool operator==(const RotaryScheme&) const = default;
};

/// Whether projections have biases is told by the family's weights.
struct AttentionScheme {
  QueryKeyNorm query_key_norm = QueryKeyNorm::none;
  RotaryScheme rotary;
  bool bias = false;                   // of queries, keys and values at least
  std::optional<std::int64_t> window;  // in sliding layers a token sees itself and the window - 1 before it
  std::vector<bool> sliding;           // (N); empty: none is

  /// Empty where a token sees all before it.
  std::optional<std::int64_t> window_in(std::int64_t layer) const {
    const auto index = static_cast<std::size_t>(layer);
    return index < sliding.size() && sliding[index] ? window : std::nullopt;
  }
  bool operator==(const AttentionScheme&) const = default;
};

}  // namespace moescope
