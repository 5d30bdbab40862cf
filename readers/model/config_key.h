#pragma once
/// Which keys of a config.json are followed, and which are not.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "readers/text/key_use.h"

namespace moescope {

struct ConfigKey {
  std::string name;   // "rope_scaling.factor" in an object inside, where that was looked into
  std::string value;  // as JSON
  KeyUse use = KeyUse::unknown;
};

/// Every key of `document`, ascending. What nobody asked for has no effect where `is_harmless` (of
/// harmless_keys.h) knows it or its value is null, else it is unknown. Pure.
std::vector<ConfigKey> config_keys(const nlohmann::json& document, const KeyUses& uses,
                                   bool (*is_harmless)(std::string_view));

/// "configuration: not followed, for moescope does not know it: attn_logit_cap=30"; empty where all are known.
std::string note_on_unknown_keys(const std::vector<ConfigKey>& keys);

/// "rope_theta=10000000"; a long value is shortened.
std::string key_words(const ConfigKey& key);

}  // namespace moescope
