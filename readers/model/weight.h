#pragma once
/// What each stored tensor is for. The rest of the program asks for (layer 3, expert 17, down_proj) and never
/// sees a tensor name or a storage layout.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "readers/model/role.h"
#include "readers/storage/stored_scales.h"

namespace moescope {

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
  std::optional<StoredScales> scales = {};
  bool transposed = false;  // in the shard: `cols` rows of `rows` elements

  std::uint64_t size() const { return rows * cols; }
  std::uint64_t row_bytes() const { return dtype_bytes(dtype, cols); }
  std::uint64_t bytes() const { return rows * row_bytes(); }
  std::uint64_t scale_bytes() const {
    return scales ? dtype_bytes(scales->dtype, scales->rows_for(rows) * scales->cols_for(cols)) : 0;
  }
  /// The weight and its scales.
  std::uint64_t stored_bytes() const { return bytes() + scale_bytes(); }
};

}  // namespace moescope
