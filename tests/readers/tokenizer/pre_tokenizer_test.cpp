#include "readers/tokenizer/pre_tokenizer.h"
#include "tests/support/source_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace moescope {
namespace {

using testing::ElementsAre;

constexpr std::string_view qwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

std::vector<std::string> split(const PreTokenizer& pre_tokenizer, std::string_view text) {
  std::vector<std::string> parts;
  pre_tokenizer.split(text, [&](std::string_view part) { parts.emplace_back(part); });
  return parts;
}

std::string utf8(std::uint32_t code_point) {
  const auto low = [&](unsigned shift) { return static_cast<char>(0x80 | ((code_point >> shift) & 0x3F)); };
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  if (code_point < 0x800) return {static_cast<char>(0xC0 | code_point >> 6), low(0)};
  if (code_point < 0x10000) return {static_cast<char>(0xE0 | code_point >> 12), low(6), low(0)};
  return {static_cast<char>(0xF0 | code_point >> 18), low(12), low(6), low(0)};
}

// The class of a code point by the way it is split between letters: a letter joins them, a number stands
// alone, and of two in a row white space is split and other characters are not.
char class_of(const PreTokenizer& pre_tokenizer, std::uint32_t code_point) {
  const std::string character = utf8(code_point);
  switch (split(pre_tokenizer, "a" + character + "b").size()) {
    case 1:
      return 'L';
    case 3:
      return 'N';
    default:
      return split(pre_tokenizer, "a" + character + character + "1").size() == 4 ? 'S' : 'O';
  }
}

// All code points of `ranges` get `name`.
void mark(std::string& classes, const nlohmann::json& ranges, char name) {
  for (const auto& range : ranges) {
    for (std::size_t i = range.at(0); i <= range.at(1).get<std::size_t>(); ++i) classes[i] = name;
  }
}

// data/golden/unicode_goldens.json: by the Rust library, for every code point.
TEST(PreTokenizer, KnowsLettersNumbersAndSpacesAsTheReferenceDoes) {
  std::ifstream stream(source_path("data/golden/unicode_goldens.json"));
  const nlohmann::json goldens = nlohmann::json::parse(stream);
  std::string expected(0x110000, 'O');
  mark(expected, goldens.at("letters"), 'L');
  mark(expected, goldens.at("numbers"), 'N');
  mark(expected, goldens.at("spaces"), 'S');

  const PreTokenizer pre_tokenizer(qwen2);
  std::vector<std::uint32_t> wrong;
  for (std::uint32_t i = 0; i < expected.size(); ++i) {
    if (i >= 0xD800 && i < 0xE000) continue;
    // A line break ends a run of other characters instead of starting one.
    if (i == '\n' || i == '\r') continue;
    if (class_of(pre_tokenizer, i) != expected[i]) wrong.push_back(i);
  }
  EXPECT_THAT(wrong, testing::IsEmpty());
}

TEST(PreTokenizer, CoversEveryByteOnce) {
  const PreTokenizer pre_tokenizer(qwen2);
  const std::string text = "It's 12\r\n\r\n  \tna\xC3\xAFve--'LL \xE2\x80\xA8 \xF0\x9F\x98\x80\n ";
  std::string joined;
  for (const std::string& part : split(pre_tokenizer, text)) {
    EXPECT_FALSE(part.empty());
    joined += part;
  }
  EXPECT_EQ(joined, text);
}

TEST(PreTokenizer, LeavesTheLastSpaceToTheWord) {
  const PreTokenizer pre_tokenizer(qwen2);
  EXPECT_THAT(split(pre_tokenizer, "a   b"), ElementsAre("a", "  ", " b"));
  EXPECT_THAT(split(pre_tokenizer, "a   "), ElementsAre("a", "   "));
  EXPECT_THAT(split(pre_tokenizer, "a \n b"), ElementsAre("a", " \n", " b"));
  EXPECT_THAT(split(pre_tokenizer, ""), ElementsAre());
}

TEST(PreTokenizer, TakesRunsOfAnyLength) {
  const PreTokenizer pre_tokenizer(qwen2);
  constexpr std::size_t length = 3'000'000;
  EXPECT_EQ(split(pre_tokenizer, std::string(length, 'a')).size(), 1u);
  EXPECT_EQ(split(pre_tokenizer, std::string(length, ' ') + "x").size(), 2u);
  EXPECT_EQ(split(pre_tokenizer, std::string(length, '-')).size(), 1u);
  EXPECT_EQ(split(pre_tokenizer, std::string(length, '\n')).size(), 1u);
}

TEST(PreTokenizer, KnowsOnlyThePatternsOfItsTable) {
  EXPECT_TRUE(is_known_split_pattern(qwen2));
  EXPECT_FALSE(is_known_split_pattern(R"(\p{L}+)"));
  EXPECT_FALSE(is_known_split_pattern(""));
}

}  // namespace
}  // namespace moescope
