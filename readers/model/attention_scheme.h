#pragma once
/// How attention projects, normalises, rotates and limits.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace moescope {

/// RMSNorm of queries and keys, before they are rotated: of each head by itself with one gain (head_dim) for
/// all, or of all heads together (heads * head_dim).
enum class QueryKeyNorm : std::uint8_t { none, per_head, full_width };

/// How a rotary embedding is stretched beyond the context that a model was first trained with: position
/// interpolation (Chen et al., arXiv 2306.15595), Llama 3's (arXiv 2407.21783), YaRN (Peng et al., arXiv
/// 2309.00071).
enum class RotaryStretch : std::uint8_t { none, linear, llama3, yarn };

struct RotaryScaling {
  RotaryStretch stretch = RotaryStretch::none;
  double factor = 1;              // by which frequencies are divided: all, or the low ones
  double original_positions = 0;  // of the first training
  /// Turns over the original positions, below `low` of which a frequency is divided, above `high` of which it
  /// is kept; between them a ramp (llama3, yarn).
  double low = 0, high = 0;
  bool whole_ends = true;  // yarn: the ramp ends at whole features

  bool operator==(const RotaryScaling&) const = default;
};

/// Rotary embedding (Su et al., arXiv 2104.09864) of `features` features of each head, from its feature
/// `first` on; the others are left as they are. Feature i turns with feature i + features / 2, or feature 2i
/// with 2i + 1 where they are interleaved, at position * base^(-2i / features).
struct RotaryScheme {
  double base = 0;
  std::int64_t features = 0;
  std::int64_t first = 0;
  bool interleaved = false;
  bool only_sliding = false;  // layers without a window know no positions
  RotaryScaling scaling = {};
  double amplitude = 1;  // of cosines and sines

  bool operator==(const RotaryScheme&) const = default;
};

/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1). Keys and values of all heads
/// come from one latent vector, and every key ends with the same rotated features; queries may have a latent
/// vector, too. head_dim = own_features + shared_features.
struct LatentScheme {
  std::int64_t query_rank = 0;  // 0: queries have no latent vector
  std::int64_t key_value_rank = 0;
  std::int64_t own_features = 0;     // of a head's queries and keys, not rotated
  std::int64_t shared_features = 0;  // rotated

  bool operator==(const LatentScheme&) const = default;
};

/// Linear attention with a gated delta rule (Gated DeltaNet, Yang et al., arXiv 2412.06464, equation 10).
/// Each value head reads with the queries and keys of one key head; before that each channel passes a causal
/// convolution.
struct LinearScheme {
  std::int64_t key_heads = 0, value_heads = 0;
  std::int64_t key_features = 0, value_features = 0;  // of a head
  std::int64_t taps = 0;                              // of the convolution
  std::vector<bool> layers;                           // (N): which have it in place of softmax attention

  std::int64_t channels() const { return 2 * key_heads * key_features + values(); }
  std::int64_t values() const { return value_heads * value_features; }
  bool operator==(const LinearScheme&) const = default;
};

/// Whether projections have biases is told by the family's weights.
struct AttentionScheme {
  QueryKeyNorm query_key_norm = QueryKeyNorm::none;
  RotaryScheme rotary;
  std::optional<LatentScheme> latent;
  std::optional<LinearScheme> linear;
  double score_factor = 1;     // of q k^T / sqrt(head_dim)
  bool bias = false;           // of queries, keys and values at least
  std::optional<double> clip;  // of queries, keys and values, before they are rotated: to [-clip, clip]
  std::optional<std::int64_t> window;  // in sliding layers a token sees itself and the window - 1 before it
  std::vector<bool> sliding;           // (N); empty: none is

  /// Empty where a token sees all before it.
  std::optional<std::int64_t> window_in(std::int64_t layer) const {
    const auto index = static_cast<std::size_t>(layer);
    return index < sliding.size() && sliding[index] ? window : std::nullopt;
  }
  bool is_linear_in(std::int64_t layer) const {
    const auto index = static_cast<std::size_t>(layer);
    return linear && index < linear->layers.size() && linear->layers[index];
  }
  bool operator==(const AttentionScheme&) const = default;
};

}  // namespace moescope
