#pragma once
/// The way that weights went through training, from one checkpoint to the next: how long it was, how far it
/// led, and whether it kept its direction. D_i = W_(i+1) - W_i is the update of step i.
///
/// All functions are pure and thread-safe, and hold for the weights as one long vector. A path is measured
/// along the checkpoints that there are: more of them in between make the same training's path longer. It
/// passes by those with elements that are not finite, at which it is NaN; everywhere if the first is one.

#include <cstdint>
#include <span>
#include <vector>

#include "metrics/weights/weight_drift.h"

namespace moescope {

/// norm(D_i), shape (C-1).
std::vector<double> update_norms(const WeightInnerProducts& products);
/// norm(D_i) / sqrt(elements) / (tokens_(i+1) - tokens_i), shape (C-1): how far an average element moved for
/// each token of training. `tokens` has shape (C). NaN where it is unknown or does not grow, and without
/// elements.
std::vector<double> update_rms_per_token(const WeightInnerProducts& products, std::uint64_t elements,
                                         std::span<const double> tokens);
/// cos(D_i, D_j), shape (C-1, C-1), symmetric, in [-1, 1]; exactly 1 on the diagonal; NaN where a step is 0.
std::vector<double> update_direction(const WeightInnerProducts& products);

/// norm(D_0) + … + norm(D_(c-1)), shape (C); 0 at the first checkpoint.
std::vector<double> path_length(const WeightInnerProducts& products);
/// norm(W_c - W_0), shape (C); 0 at the first checkpoint.
std::vector<double> displacement(const WeightInnerProducts& products);
/// path_length / displacement, shape (C): 1 is a straight line, at least 1 otherwise; NaN where the
/// displacement is 0, as at the first checkpoint.
std::vector<double> tortuosity(const WeightInnerProducts& products);

}  // namespace moescope
