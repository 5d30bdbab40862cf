#pragma once
/// What becomes of the keys of a JSON object that is read.

#include <cstdint>
#include <map>
#include <string>

namespace moescope {

enum class KeyUse : std::uint8_t {
  followed,        // its value decides
  checked,         // it is refused unless it has the one value that is supported
  without_effect,  // it decides nothing
  unknown,         // nobody asked for it
};

/// Of every key that was asked for, whether it is there or not; "rope_scaling.factor" in an object inside.
using KeyUses = std::map<std::string, KeyUse>;

}  // namespace moescope
