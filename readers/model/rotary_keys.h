#pragma once
/// What config.json says of rotary embeddings: rope_theta, rope_scaling, partial_rotary_factor; newer files
/// have them in rope_parameters. All functions throw FormatError and UnsupportedModel. For the sources of
/// families.

#include <vector>

#include "readers/model/model_config.h"
#include "readers/text/strict_json.h"

namespace moescope {

/// The stretches of the rotary embedding that a family's code knows; others are refused.
using KnownStretches = std::vector<RotaryStretch>;

/// Of whole heads, or of those features that latent attention rotates: a partial_rotary_factor other than 1
/// is refused. With yarn, mscale_all_dim sets the scheme's score_factor.
void read_whole_rotary(const JsonObject& object, ModelConfig& config, const KnownStretches& known = {});

/// rope_interleave, absent false. The reference implementation of Llama and Mixtral has no such key: it is of
/// models whose queries and keys were reordered, as in GGUF files.
void read_interleaving(const JsonObject& object, ModelConfig& config);

/// The share of a head's features that a key tells, rounded down to a whole number of them; an even one.
std::int64_t rotated_features(const JsonObject& object, const char* key, std::int64_t head_dim);

/// Of the first partial_rotary_factor of each head, rounded down to a whole feature.
void read_partial_rotary(const JsonObject& object, ModelConfig& config, double absent);

}  // namespace moescope
