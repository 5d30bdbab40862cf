#pragma once
/// What became of a configuration's keys, once it has been read.

#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "readers/model/config_key.h"

namespace moescope {

/// Every key of `document`, ascending. What nobody asked for has no effect where `is_harmless` (of
/// harmless_keys.h) knows it or its value is null, else it is unknown. Pure.
std::vector<ConfigKey> config_keys(const nlohmann::json& document, const KeyUses& uses,
                                   bool (*is_harmless)(std::string_view));

}  // namespace moescope
