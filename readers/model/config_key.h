#pragma once
/// Which keys of a config.json are followed, and which are not.

#include <string>
#include <vector>

#include "readers/text/key_use.h"

namespace moescope {

struct ConfigKey {
  std::string name;   // "rope_scaling.factor" in an object inside, where that was looked into
  std::string value;  // as JSON
  KeyUse use = KeyUse::unknown;
};

/// "config.json: not followed, for moescope does not know it: attn_logit_cap=30"; empty where all are known.
std::string note_on_unknown_keys(const std::vector<ConfigKey>& keys);

/// "rope_theta=10000000"; a long value is shortened.
std::string key_words(const ConfigKey& key);

}  // namespace moescope
