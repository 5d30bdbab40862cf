#pragma once
/// The keys of a config.json that was read.

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "readers/model/config_key.h"

namespace moescope {

/// Every key of `document`, ascending. What nobody asked for has no effect where harmless_keys.h knows it or
/// its value is null, else it is unknown. Pure.
std::vector<ConfigKey> config_keys(const nlohmann::json& document, const KeyUses& uses);

}  // namespace moescope
