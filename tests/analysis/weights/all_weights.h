#pragma once
/// All weights of a series of one checkpoint at least, as one range of them.

#include "analysis/weights/weight_pass.h"

namespace moescope {

inline WeightRange all_weights(std::span<const CheckpointWeights> series) {
  return {0, series.front().weights->all().size()};
}

}  // namespace moescope
