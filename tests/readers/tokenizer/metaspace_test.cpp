#include "readers/tokenizer/metaspace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace moescope {
namespace {

using testing::ElementsAre;

std::vector<std::size_t> offsets_in_original(const NormalizedText& normalized) {
  OriginalOffsets offsets(normalized.changes);
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < normalized.text.size(); ++i) result.push_back(offsets.at(i));
  return result;
}

TEST(Metaspace, BecomesASpaceThatKnowsItsPlace) {
  const auto spaced = with_spaces("a\u2581 \u2581\u2581b", false);
  ASSERT_TRUE(spaced);
  EXPECT_EQ(spaced->text, "a    b");
  EXPECT_THAT(offsets_in_original(*spaced), ElementsAre(0, 1, 4, 5, 8, 11));
}

TEST(Metaspace, IsPrependedToEveryTextButNone) {
  const auto spaced = with_spaces(" a\u2581", true);
  ASSERT_TRUE(spaced);
  EXPECT_EQ(spaced->text, "  a ");
  EXPECT_THAT(offsets_in_original(*spaced), ElementsAre(0, 0, 1, 2));
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
