#pragma once
/// JSON for people and scripts.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace moescope {

/// As printed by --json: indented, arrays of plain numbers on one line, NaN as null, invalid UTF-8 replaced.
std::string json_text(const nlohmann::ordered_json& value);

}  // namespace moescope
