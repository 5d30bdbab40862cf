#pragma once

#include <string>

namespace moescope {

/// "0.2.0".
std::string program_version();

}  // namespace moescope
