#pragma once
/// What each stored tensor is for. The rest of the program asks for (layer 3, expert 17, down_proj) and never
/// sees a tensor name or a storage layout: a routed expert is the same object whether it is stored
/// by itself or as a slice of a fused tensor. A model family is one table in tensor_roles.cpp.

#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "readers/checkpoint.h"

namespace moescope {

enum class Role : std::uint8_t {
  embedding,   // [V, H]
  input_norm,  // [H]
  query,
  key,
  value,  // [heads * head_dim, H] (key, value: kv heads)
  query_bias,
  key_bias,
  value_bias,
  query_norm,
  key_norm,               // [head_dim]
  attention_output,       // [H, heads * head_dim]
  attention_output_bias,  // [H]
  post_attention_norm,    // [H]
  dense_gate,
  dense_up,               // [I, H]
  dense_down,             // [H, I]
  router,                 // [E, H]
  score_correction_bias,  // [E]
  expert_gate,
  expert_up,    // [M, H], one per routed expert
  expert_down,  // [H, M]
  shared_gate,
  shared_up,    // [S * M, H]
  shared_down,  // [H, S * M]
  final_norm,   // [H]
  head,         // [V, H]; absent when tied to the embedding
};

/// The groups by which weight metrics are aggregated.
enum class RoleGroup : std::uint8_t {
  embedding,
  attention,
  norm,
  dense_mlp,
  router,
  score_correction_bias,  // no part of a matrix, in the unit of scores, and trained without a gradient
  routed_expert,
  shared_expert,
  head,
};
RoleGroup role_group(Role role);
std::string_view role_group_name(RoleGroup group);  // "routed_expert"
inline constexpr RoleGroup all_role_groups[] = {
    RoleGroup::embedding,     RoleGroup::attention,     RoleGroup::norm,
    RoleGroup::dense_mlp,     RoleGroup::router,        RoleGroup::score_correction_bias,
    RoleGroup::routed_expert, RoleGroup::shared_expert, RoleGroup::head,
};
/// Its place in all_role_groups.
std::size_t role_group_index(Role role);

struct WeightKey {
  Role role = Role::embedding;
  std::int64_t layer = -1;   // -1 outside the layers
  std::int64_t expert = -1;  // -1 unless a routed expert
  auto operator<=>(const WeightKey&) const = default;
};

/// One weight as it lies in a shard: `rows` x `cols` elements, row-major, contiguous. Vectors have one row.
struct Weight {
  WeightKey key;
  std::string name;  // canonical (per-expert) tensor name, also where storage is fused
  DType dtype = DType::bf16;
  std::uint64_t rows = 0, cols = 0;
  std::size_t shard = 0;
  std::uint64_t offset = 0;  // of the first byte in the shard's file

  std::uint64_t size() const { return rows * cols; }
  std::uint64_t row_bytes() const { return cols * dtype_bits(dtype) / 8; }
  std::uint64_t bytes() const { return rows * row_bytes(); }
};

/// Every weight of a checkpoint by role, in a canonical order that is the same for all checkpoints of a
/// model: embedding, layers ascending (each in the order of Role, experts ascending: gate, up, down of one
/// expert together), final norm, head. Immutable and thread-safe.
class ModelWeights {
 public:
  /// Throws FormatError for a missing tensor, a wrong shape, an unusable dtype.
  explicit ModelWeights(const Checkpoint& checkpoint);
  /// The weights that a configuration describes, all stored as `dtype`, before any of them is there: their
  /// shard and offset are 0.
  ModelWeights(const ModelConfig& config, DType dtype);

  std::span<const Weight> all() const { return weights_; }
  /// Null when the model has none (e.g. Role::head of a tied model).
  const Weight* find(const WeightKey& key) const;
  /// Throws std::out_of_range (a programmer's mistake: the constructor has validated the model).
  const Weight& at(const WeightKey& key) const;
  /// Stored tensors that have no role, e.g. multi-token-prediction layers: skipped, with a note each.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void build_index();

  std::vector<Weight> weights_;
  std::map<WeightKey, std::size_t> index_;
  std::vector<std::string> notes_;
};

/// Total parameters and those a token activates (both embeddings counted, as in the dots.llm1 report),
/// from the configuration alone.
struct ParameterCount {
  std::uint64_t total = 0, active = 0;
};
ParameterCount count_parameters(const ModelConfig& config);

}  // namespace moescope
