#pragma once
/// Model families for tests whose config.json states every choice of a scheme openly, so that the forward
/// pass can be tried with each of them, whichever real family has it.

#include <nlohmann/json.hpp>
#include <span>

#include "readers/model/family.h"

namespace moescope {

/// "scheme"; "scheme_without_selection_bias"; "scheme_without_output_bias", whose projections of queries,
/// keys and values alone may have biases.
std::span<const Family> scheme_families();

/// A small model of "scheme" with the choices of dots1, to be edited. Keys of its own:
///   mixture, sliding: (N) true for each such layer     window: null, or tokens
///   score: "sigmoid" or "softmax"                      groups, kept_groups, group_score: "best_two" or
///   "best" renormalise, epsilon, scale                        query_key_norm: "none", "per_head" or
///   "full_width" rotary_base, rotary_features                       bias experts for n_routed_experts
///   shared_experts, absent: 0
nlohmann::ordered_json scheme_config();

}  // namespace moescope
