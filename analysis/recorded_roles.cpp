#include "analysis/recorded_roles.h"

namespace moescope {

std::vector<std::string> role_labels() {
  std::vector<std::string> labels;
  for (const RoleGroup group : all_role_groups) labels.emplace_back(role_group_name(group));
  labels.emplace_back("whole_model_without_norms");
  labels.emplace_back("whole_model");
  return labels;
}

std::vector<std::size_t> recorded_roles(Role role) {
  if (role_group(role) == RoleGroup::norm) return {role_group_index(role), whole_model};
  return {role_group_index(role), whole_model_without_norms, whole_model};
}

}  // namespace moescope
