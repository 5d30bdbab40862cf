#pragma once
/// How evenly the experts are used.

#include "plots/findings/finding.h"

namespace moescope {

Finding balance_finding();

}  // namespace moescope
