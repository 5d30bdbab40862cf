#pragma once
/// How sure the router is.

#include "plots/findings/finding.h"

namespace moescope {

Finding router_finding();

}  // namespace moescope
