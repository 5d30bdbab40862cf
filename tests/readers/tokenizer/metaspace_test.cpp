#include "readers/tokenizer/metaspace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/readers/tokenizer/original_offsets.h"

namespace moescope {
namespace {

using testing::ElementsAre;

TEST(Metaspace, BecomesASpaceThatKnowsItsPlace) {
  const auto spaced = with_spaces("a\u2581 \u2581\u2581b", false);
  ASSERT_TRUE(spaced);
  EXPECT_EQ(spaced->text, "a    b");
  EXPECT_THAT(original_offsets(*spaced), ElementsAre(0, 1, 4, 5, 8, 11));
}

TEST(Metaspace, IsPrependedToEveryTextButNone) {
  const auto spaced = with_spaces(" a\u2581", true);
  ASSERT_TRUE(spaced);
  EXPECT_EQ(spaced->text, "  a ");
  EXPECT_THAT(original_offsets(*spaced), ElementsAre(0, 0, 1, 2));
  EXPECT_FALSE(with_spaces("", true));
}

TEST(Metaspace, LeavesATextWithoutOneAlone) {
  EXPECT_FALSE(with_spaces("a b\u2582", false));
}

TEST(Metaspace, BeginsAsASpaceDoes) {
  EXPECT_TRUE(begins_with_space(" a"));
  EXPECT_TRUE(begins_with_space("\u2581"));
  EXPECT_FALSE(begins_with_space("\ta"));
  EXPECT_FALSE(begins_with_space(""));
}

}  // namespace
}  // namespace moescope
