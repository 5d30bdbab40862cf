#pragma once
/// What weights are called in GGUF files: by their roles, in the same way for all families.
/// Source: gguf-py/gguf/constants.py of llama.cpp.

#include <span>
#include <string>
#include <string_view>

#include "readers/model/role.h"
#include "readers/model/weight_rule.h"

namespace moescope {

/// Before the number of a layer.
inline constexpr std::string_view gguf_layer_prefix = "blk.";

/// The names that a role's tensor may have, within its layer if it belongs to one; none: GGUF has no such
/// tensor that moescope reads. Routed experts' are in gguf_fused().
std::span<const std::string_view> gguf_names(Role role);

/// Tensors of several weights: those of all experts of a layer, always; queries, keys and values in some
/// files.
std::span<const FusedRule> gguf_fused();

}  // namespace moescope
