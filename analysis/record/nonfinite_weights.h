#pragma once
/// What is not finite in a run: in sentences, from its record; and in a checkpoint, by reading it.

#include <atomic>
#include <string>

#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// Of the weights of one checkpoint, as far as a weight pass has counted them: how many values, in how many
/// tensors, the first of them by name. Empty where all are finite, or nothing was counted.
std::string describe_nonfinite_weights(const RunFile& run, std::size_t checkpoint);

/// Of the forward pass of one checkpoint: how many tokens chose no expert, and how many losses are not
/// finite. Empty where all is finite.
std::string describe_nonfinite_pass(const RunFile& run, std::size_t checkpoint);

/// Reads the weights in their order up to the first tensor that is not finite: as describe_nonfinite_weights,
/// of that tensor. Empty where there is none. For a run without a weight pass, whose forward pass was not
/// finite. Throws std::system_error, Interrupted.
std::string find_nonfinite_weights(const Checkpoint& checkpoint, const ModelWeights& weights,
                                   const std::string& name, std::uint64_t memory,
                                   const std::atomic<bool>* interrupted);

}  // namespace moescope
