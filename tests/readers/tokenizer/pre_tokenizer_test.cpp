#include "readers/tokenizer/pre_tokenizer.h"
#include "tests/support/source_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "readers/tokenizer/split_patterns.h"

namespace moescope {
namespace {

using testing::ElementsAre;

constexpr std::string_view qwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view llama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view gpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view ling =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
const std::vector<std::string> deepseek_v3 = {
    R"(\p{N}{1,3})", "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
    " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"};

PreTokenizer by(std::string_view regex) {
  return {{std::string(regex)}, SpaceSplit::nowhere};
}

PreTokenizer by_spaces(SpaceSplit split) {
  return {{}, split};
}

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

  const PreTokenizer pre_tokenizer = by(qwen2);
  std::vector<std::uint32_t> wrong;
  for (std::uint32_t i = 0; i < expected.size(); ++i) {
    if (i >= 0xD800 && i < 0xE000) continue;
    // A line break ends a run of other characters instead of starting one.
    if (i == '\n' || i == '\r') continue;
    if (class_of(pre_tokenizer, i) != expected[i]) wrong.push_back(i);
  }
  EXPECT_THAT(wrong, testing::IsEmpty());
}

// U upper case, l lower case, o other letters, M marks, P punctuation and symbols, - the rest. GPT-4o's words
// are letters of U, o and M, then such of l, o and M.
char finer_class_of(const PreTokenizer& words, const PreTokenizer& letters, const PreTokenizer& punctuation,
                    const std::string& character) {
  const auto parts = [&](const PreTokenizer& pre_tokenizer, const std::string& before, const char* after) {
    return split(pre_tokenizer, before + character + after).size();
  };
  if (parts(punctuation, "!", "!") == 1) return 'P';
  if (parts(words, "a", "a") == 1 && parts(words, "A", "Ba") == 1) {
    if (parts(words, "A", "A") == 1) return 'U';
    return parts(letters, "a", "b") == 1 ? 'o' : 'M';
  }
  return parts(words, "a", "a") == 1 ? 'l' : parts(words, "A", "A") == 1 ? 'U' : '-';
}

// data/golden/unicode_goldens.json, but for the planes that nothing is assigned in.
TEST(PreTokenizer, KnowsCaseMarksAndPunctuationAsTheReferenceDoes) {
  std::ifstream stream(source_path("data/golden/unicode_goldens.json"));
  const nlohmann::json goldens = nlohmann::json::parse(stream);
  std::string expected(0x110000, '-');
  mark(expected, goldens.at("letters"), 'o');
  mark(expected, goldens.at("uppercase"), 'U');
  mark(expected, goldens.at("lowercase"), 'l');
  mark(expected, goldens.at("marks"), 'M');
  mark(expected, goldens.at("punctuation_and_symbols"), 'P');

  const PreTokenizer words = by(gpt4o), letters = by(qwen2), punctuation = by(deepseek_v3.back());
  std::vector<std::uint32_t> wrong;
  for (std::uint32_t i = 0; i < 0xE0200; i = i == 0x32FFF ? 0xE0000 : i + 1) {
    if (i >= 0xD800 && i < 0xE000) continue;
    if (finer_class_of(words, letters, punctuation, utf8(i)) != expected[i]) wrong.push_back(i);
  }
  EXPECT_THAT(wrong, testing::IsEmpty());
}

TEST(PreTokenizer, CoversEveryByteOnce) {
  const PreTokenizer pre_tokenizer = by(qwen2);
  const std::string text = "It's 12\r\n\r\n  \tna\xC3\xAFve--'LL \xE2\x80\xA8 \xF0\x9F\x98\x80\n ";
  std::string joined;
  for (const std::string& part : split(pre_tokenizer, text)) {
    EXPECT_FALSE(part.empty());
    joined += part;
  }
  EXPECT_EQ(joined, text);
}

TEST(PreTokenizer, LeavesTheLastSpaceToTheWord) {
  const PreTokenizer pre_tokenizer = by(qwen2);
  EXPECT_THAT(split(pre_tokenizer, "a   b"), ElementsAre("a", "  ", " b"));
  EXPECT_THAT(split(pre_tokenizer, "a   "), ElementsAre("a", "   "));
  EXPECT_THAT(split(pre_tokenizer, "a \n b"), ElementsAre("a", " \n", " b"));
  EXPECT_THAT(split(pre_tokenizer, ""), ElementsAre());
}

TEST(PreTokenizer, SplitsWhatEachStepLeft) {
  const PreTokenizer pre_tokenizer(deepseek_v3, SpaceSplit::nowhere);
  EXPECT_THAT(split(pre_tokenizer, "1234a \u4F60\u597Db.c"),
              ElementsAre("123", "4", "a", " ", "\u4F60\u597D", "b", ".c"));
  // No step matches a control character.
  EXPECT_THAT(split(pre_tokenizer, "\x01\x02"), ElementsAre("\x01\x02"));
  EXPECT_THAT(split(pre_tokenizer, "!\x01\x02!"), ElementsAre("!", "\x01\x02", "!"));
}

TEST(PreTokenizer, SplitsAtSpacesAndAtWords) {
  const std::string text = "  a b  \u2581c";
  EXPECT_THAT(split(by_spaces(SpaceSplit::nowhere), text), ElementsAre(text));
  EXPECT_THAT(split(by_spaces(SpaceSplit::words), text), ElementsAre("  a", " b", "  \u2581c"));
  EXPECT_THAT(split(by_spaces(SpaceSplit::every_space), text),
              ElementsAre(" ", " a", " b", " ", " ", "\u2581c"));
}

// Of one character, and where a pattern tries and takes back.
TEST(PreTokenizer, TakesRunsOfAnyLength) {
  constexpr std::size_t length = 3'000'000;
  std::vector<PreTokenizer> pre_tokenizers;
  for (const std::string_view regex : {qwen2, llama3, gpt4o, ling, gpt2_split_regex}) {
    pre_tokenizers.push_back(by(regex));
  }
  pre_tokenizers.emplace_back(deepseek_v3, SpaceSplit::nowhere);
  for (const PreTokenizer& pre_tokenizer : pre_tokenizers) {
    EXPECT_EQ(split(pre_tokenizer, std::string(length, 'a')).size(), 1u);
    EXPECT_EQ(split(pre_tokenizer, std::string(length, 'A')).size(), 1u);
    EXPECT_EQ(split(pre_tokenizer, std::string(length, ' ') + "x").size(), 2u);
    EXPECT_EQ(split(pre_tokenizer, std::string(length, '-')).size(), 1u);
    EXPECT_EQ(split(pre_tokenizer, std::string(length, '\n')).size(), 1u);
    EXPECT_EQ(split(pre_tokenizer, std::string(length, '\x01')).size(), 1u);
    EXPECT_EQ(split(pre_tokenizer, '\n' + std::string(length, ' ') + '\n').size(), 1u);
  }
}

TEST(PreTokenizer, KnowsOnlyThePatternsOfItsTable) {
  ASSERT_NE(find_split_pattern(qwen2), nullptr);
  EXPECT_EQ(find_split_pattern(qwen2)->models, "Qwen2");
  EXPECT_EQ(find_split_pattern(R"(\p{L}+)"), nullptr);
  EXPECT_EQ(find_split_pattern(""), nullptr);
  EXPECT_EQ(known_split_patterns(), "GPT-2, Qwen2, Qwen3.5, Llama 3, GPT-4o, Ling, DeepSeek-V3");
}

}  // namespace
}  // namespace moescope
