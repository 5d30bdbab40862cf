#pragma once
/// Which keys of a configuration are followed, as inspect shows it.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "readers/model/config_key.h"

namespace moescope {

/// For people: a line for each use, folded to the width of the terminal.
std::string keys_text(const std::vector<ConfigKey>& keys);

/// For scripts: {"followed": {KEY: VALUE …}, "checked": …, "without_effect": …, "unknown": …}.
nlohmann::ordered_json keys_json(const std::vector<ConfigKey>& keys);

}  // namespace moescope
