#pragma once
/// The dimension `role` of a run file: the role groups, and behind them what stands for all weights together.

#include <cstddef>
#include <iterator>
#include <string>
#include <vector>

#include "readers/model/weight.h"

namespace moescope {

/// Norm gains are a thousandth of the elements, but begin at 1 and can be most of the model's squared norm,
/// so that the model is measured without them, too.
inline constexpr std::size_t whole_model_without_norms = std::size(all_role_groups);
inline constexpr std::size_t whole_model = whole_model_without_norms + 1;
inline constexpr std::size_t role_count = whole_model + 1;

/// (role_count): "embedding" … "head", "whole_model_without_norms", "whole_model".
std::vector<std::string> role_labels();

/// Where a group counts beside itself: in the whole model, and in the one without norms unless it is they.
std::vector<std::size_t> totals_of(RoleGroup group);
/// Where a weight counts: in its group and in the totals of that.
std::vector<std::size_t> recorded_roles(Role role);

}  // namespace moescope
