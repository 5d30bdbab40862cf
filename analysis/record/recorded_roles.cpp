#include "analysis/record/recorded_roles.h"

namespace moescope {

std::vector<std::string> role_labels() {
  std::vector<std::string> labels;
  for (const RoleGroup group : all_role_groups) labels.emplace_back(role_group_name(group));
  labels.emplace_back("whole_model_without_norms");
  labels.emplace_back("whole_model");
  return labels;
}

std::vector<std::size_t> totals_of(RoleGroup group) {
  if (group == RoleGroup::norm) return {whole_model};
  return {whole_model_without_norms, whole_model};
}

std::vector<std::size_t> recorded_roles(Role role) {
  std::vector<std::size_t> roles = totals_of(role_group(role));
  roles.insert(roles.begin(), role_group_index(role));
  return roles;
}

}  // namespace moescope
