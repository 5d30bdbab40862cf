#pragma once
/// What each stored tensor is for. The rest of the program asks for (layer 3, expert 17, down_proj) and never
/// sees a tensor name or a storage layout.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "readers/storage/dtype.h"

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

}  // namespace moescope
