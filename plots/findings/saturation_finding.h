#pragma once
/// When the choices of the router settled.

#include "plots/findings/finding.h"

namespace moescope {

Finding saturation_finding();

}  // namespace moescope
