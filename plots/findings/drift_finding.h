#pragma once
/// How far the weights moved.

#include "plots/findings/finding.h"

namespace moescope {

Finding drift_finding();

}  // namespace moescope
