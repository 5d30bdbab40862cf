#include "readers/model/role.h"

namespace moescope {
namespace {

struct RoleRow {
  std::string_view name;
  RoleGroup group;
};

#define MOESCOPE_ROLE(name, group) {#name, RoleGroup::group},
constexpr RoleRow role_rows[] = {MOESCOPE_ROLES(MOESCOPE_ROLE)};
#undef MOESCOPE_ROLE

#define MOESCOPE_GROUP(name) #name,
constexpr std::string_view group_names[] = {MOESCOPE_ROLE_GROUPS(MOESCOPE_GROUP)};
#undef MOESCOPE_GROUP

}  // namespace

std::string_view role_name(Role role) {
  return role_rows[static_cast<std::size_t>(role)].name;
}

RoleGroup role_group(Role role) {
  return role_rows[static_cast<std::size_t>(role)].group;
}

std::string_view role_group_name(RoleGroup group) {
  return group_names[static_cast<std::size_t>(group)];
}

std::size_t role_group_index(Role role) {
  return static_cast<std::size_t>(role_group(role));
}

}  // namespace moescope
