#pragma once
/// Parts of config.json that several families share: each function reads its keys, and refuses what would
/// change the forward pass unseen. All throw FormatError and UnsupportedModel. For the sources of families.

#include <cstdint>

#include "readers/model/model_config.h"
#include "readers/text/strict_json.h"

namespace moescope {

std::int64_t integer_or(const JsonObject& object, const char* key, std::int64_t absent, std::int64_t least,
                        std::int64_t greatest);

/// first_k_dense_replace and moe_layer_freq: which layers are a mixture of experts; one at least.
void read_moe_layers(const JsonObject& object, ModelConfig& config);

/// n_group and topk_group, both absent: all experts are one group.
void read_groups(const JsonObject& object, ModelConfig& config);

/// rope_theta, here or in rope_parameters, of whole heads: a partial_rotary_factor other than 1 and every
/// scaling are refused.
void read_whole_rotary(const JsonObject& object, ModelConfig& config);

/// sliding_window; the sliding layers are listed in layer_types, or are those from max_window_layers on.
/// `use_sliding_window` is not consulted.
void read_window(const JsonObject& object, ModelConfig& config);

}  // namespace moescope
