#pragma once
/// How a model routes, in a line.

#include <string>

namespace moescope {

struct ModelConfig;

/// "sigmoid + bias, top 8 of 256 in 4 of 8 groups, normalised, x 2.5, 1 shared"; "none" of a dense model.
std::string routing_words(const ModelConfig& config);

}  // namespace moescope
