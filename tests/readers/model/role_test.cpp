#include "readers/model/role.h"

#include <gtest/gtest.h>

#include <iterator>
#include <set>
#include <string>

namespace moescope {
namespace {

TEST(Role, HasANameAndAGroup) {
  EXPECT_EQ(role_name(Role::attention_output), "attention_output");
  EXPECT_EQ(role_group(Role::query_norm), RoleGroup::norm);
  EXPECT_EQ(role_group(Role::router), RoleGroup::router);
  EXPECT_EQ(role_group(Role::expert_up), RoleGroup::routed_expert);
  EXPECT_EQ(role_group(Role::head), RoleGroup::head);
}

TEST(Role, NamesAreDifferent) {
  std::set<std::string_view> names;
  for (const Role role : all_roles) names.insert(role_name(role));
  EXPECT_EQ(names.size(), std::size(all_roles));
}

TEST(RoleGroup, HasANameAndAPlace) {
  EXPECT_EQ(role_group_name(RoleGroup::score_correction_bias), "score_correction_bias");
  EXPECT_EQ(role_group_name(RoleGroup::routed_expert), "routed_expert");
  for (const Role role : all_roles) EXPECT_EQ(all_role_groups[role_group_index(role)], role_group(role));
}

}  // namespace
}  // namespace moescope
