#include "readers/model/weight.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace moescope {

RoleGroup role_group(Role role) {
  switch (role) {
    case Role::embedding:
      return RoleGroup::embedding;
    case Role::input_norm:
    case Role::query_norm:
    case Role::key_norm:
    case Role::post_attention_norm:
    case Role::final_norm:
      return RoleGroup::norm;
    case Role::query:
    case Role::key:
    case Role::value:
    case Role::query_bias:
    case Role::key_bias:
    case Role::value_bias:
    case Role::attention_output:
    case Role::attention_output_bias:
      return RoleGroup::attention;
    case Role::dense_gate:
    case Role::dense_up:
    case Role::dense_down:
      return RoleGroup::dense_mlp;
    case Role::router:
      return RoleGroup::router;
    case Role::score_correction_bias:
      return RoleGroup::score_correction_bias;
    case Role::expert_gate:
    case Role::expert_up:
    case Role::expert_down:
      return RoleGroup::routed_expert;
    case Role::shared_gate:
    case Role::shared_up:
    case Role::shared_down:
      return RoleGroup::shared_expert;
    case Role::head:
      return RoleGroup::head;
  }
  throw std::invalid_argument("role_group: not a role");
}

std::size_t role_group_index(Role role) {
  const auto* found = std::ranges::find(all_role_groups, role_group(role));
  return static_cast<std::size_t>(found - std::begin(all_role_groups));
}

std::string_view role_group_name(RoleGroup group) {
  constexpr std::string_view names[] = {"embedding",     "attention",     "norm",
                                        "dense_mlp",     "router",        "score_correction_bias",
                                        "routed_expert", "shared_expert", "head"};
  static_assert(std::size(names) == std::size(all_role_groups));
  return names[static_cast<std::size_t>(group)];
}

}  // namespace moescope
