#include "readers/text/quoted_text.h"

#include <gtest/gtest.h>

#include <string>

namespace moescope {
namespace {

TEST(QuotedText, EscapesWhatALineCannotHold) {
  EXPECT_EQ(single_quoted("a\nb\t\x01"), "'a\\nb\\t\\u0001'");
  EXPECT_EQ(single_quoted("\xff"), "'\uFFFD'");
}

TEST(QuotedText, IsCutBetweenCharactersWhereItIsLong) {
  EXPECT_EQ(single_quoted(std::string(200, 'x')), "'" + std::string(200, 'x') + "'");
  EXPECT_EQ(single_quoted(std::string(201, 'x')), "'" + std::string(200, 'x') + "…'");
  EXPECT_EQ(shortened("äöü", 3), "ä…");
}

}  // namespace
}  // namespace moescope
