#include "readers/model/role_words.h"

#include <gtest/gtest.h>

namespace moescope {
namespace {

TEST(RoleWords, AreThoseThatPeopleRead) {
  EXPECT_EQ(role_words("dense_mlp"), "dense MLP");
  EXPECT_EQ(role_words("routed_expert"), "routed expert");
  EXPECT_EQ(role_words("head"), "head");
}

}  // namespace
}  // namespace moescope
