#include "readers/text/name_list.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace moescope {
namespace {

using Names = std::vector<std::string>;

TEST(NameList, SaysHowManyThereAreWhereItLeavesSomeOut) {
  EXPECT_EQ(name_list({}), "");
  EXPECT_EQ(name_list(Names{"a", "b", "c"}, 3), "a, b, c");
  EXPECT_EQ(name_list(Names{"a", "b", "c", "d"}, 3), "a, b, … (4 in all)");
}

TEST(NamesInWords, NamesFourAndCountsTheRestOfMore) {
  EXPECT_EQ(names_in_words(Names{"a"}), "a");
  EXPECT_EQ(names_in_words(Names{"a", "b"}), "a and b");
  EXPECT_EQ(names_in_words(Names{"a", "b", "c", "d"}), "a, b, c and d");
  EXPECT_EQ(names_in_words(Names{"a", "b", "c", "d", "e"}), "a, b, c and 2 more");
  EXPECT_EQ(names_in_words(Names{"a", "b", "c", "d", "e"}, "others"), "a, b, c and 2 others");
}

TEST(QuotedNames, AreEachQuotedAndEscaped) {
  EXPECT_EQ(quoted_names(Names{"a", "b\n"}), "'a' and 'b\\n'");
}

}  // namespace
}  // namespace moescope
