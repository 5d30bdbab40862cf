#pragma once
/// How well the model predicts.

#include "plots/findings/finding.h"

namespace moescope {

Finding loss_finding();

}  // namespace moescope
