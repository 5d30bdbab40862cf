#include "readers/text/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace moescope {
namespace {

TEST(Utf8, AcceptsEveryLengthUpToTheLastCodePoint) {
  const std::string text(
      "a\0\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 23);
  EXPECT_EQ(first_invalid_utf8(text), text.size());
  EXPECT_EQ(first_invalid_utf8(""), 0u);
}

// The well-formed sequences are those of table 3-7 of the Unicode standard.
TEST(Utf8, FindsTheFirstMalformedByte) {
  for (const char* malformed :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xEF\xBF",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF", "\xE2\x28\xA1"}) {
    EXPECT_EQ(first_invalid_utf8(std::string("ab") + malformed), 2u);
    EXPECT_EQ(first_invalid_utf8(std::string("é") + malformed + "c"), 2u);
  }
}

TEST(Utf8, FindsAMalformedByteAtAnyPlaceInAsciiText) {
  for (std::size_t position = 0; position < 40; ++position) {
    std::string text(40, 'a');
    text[position] = '\xFF';
    EXPECT_EQ(first_invalid_utf8(text), position);
    text.insert(0, "é");
    EXPECT_EQ(first_invalid_utf8(text), position + 2);
  }
}

TEST(Utf8, IsMadeOfAnyBytes) {
  for (const char* valid : {"", "a", "größer", "\uFFFD"}) EXPECT_EQ(valid_utf8(valid), valid);
  EXPECT_EQ(valid_utf8("caf\xE9"), "caf\uFFFD");
  EXPECT_EQ(valid_utf8("\xE9\xE9t\xE9"), "\uFFFD\uFFFDt\uFFFD");
}

}  // namespace
}  // namespace moescope
