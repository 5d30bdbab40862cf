#pragma once
/// Tiny, valid, random checkpoints of any model family, from a config.json alone: the weights are those that
/// the family describes.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>

#include "readers/model/family.h"
#include "tests/support/checkpoint_builder.h"

namespace moescope {

/// All in float32.
BuiltCheckpoint build_family_checkpoint(const nlohmann::ordered_json& config,
                                        std::span<const Family> families = known_families(),
                                        std::uint64_t seed = 1);

}  // namespace moescope
