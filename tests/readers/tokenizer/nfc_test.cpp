#include "readers/tokenizer/nfc.h"
#include "tests/readers/tokenizer/original_offsets.h"
#include "tests/support/source_path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

namespace moescope {
namespace {

std::string normalized(const std::string& text) {
  const auto result = NfcNormalizer().normalize(text);
  return result ? result->text : text;
}

// data/golden/unicode_goldens.json: by the Rust library.
TEST(Nfc, IsThatOfUnicode9AsInTheReference) {
  std::ifstream stream(source_path("data/golden/unicode_goldens.json"));
  const nlohmann::json goldens = nlohmann::json::parse(stream).at("nfc");
  ASSERT_EQ(goldens.size(), 39u);
  for (const auto& golden : goldens) {
    EXPECT_EQ(normalized(golden.at(0)), golden.at(1).get<std::string>()) << golden.dump(-1, ' ', true);
  }
}

TEST(Nfc, SaysWhenThereIsNothingToDo) {
  const NfcNormalizer normalizer;
  for (const char* text : {"", "ascii", "caf\xC3\xA9", "\xE4\xBD\xA0\xE5\xA5\xBD", "\xED\x95\x9C"}) {
    EXPECT_FALSE(normalizer.normalize(text)) << text;
  }
  EXPECT_TRUE(normalizer.normalize("cafe\xCC\x81"));
}

TEST(Nfc, RemembersWhereEachByteCameFrom) {
  // a, e and acute, b, angstrom sign, c: two bytes for three, and two for three.
  const auto result = NfcNormalizer().normalize(
      "ae\xCC\x81"
      "b\xE2\x84\xAB"
      "c");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->text,
            "a\xC3\xA9"
            "b\xC3\x85"
            "c");
  EXPECT_EQ(original_offsets(*result), (std::vector<std::size_t>{0, 1, 1, 4, 5, 5, 8}));
}

TEST(Nfc, RemembersItWhereTextGrows) {
  // U+0958 (3 bytes) becomes U+0915 U+093C (6 bytes).
  const auto result = NfcNormalizer().normalize("x\xE0\xA5\x98y");
  ASSERT_TRUE(result);
  EXPECT_EQ(original_offsets(*result), (std::vector<std::size_t>{0, 1, 1, 1, 1, 1, 1, 4}));
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

// Grave below (class 220) and acute (230); 200,000 of them took a minute and more when they were inserted one
// by one.
TEST(Nfc, SortsLongRunsOfMarks) {
  constexpr std::size_t times = 100'000;
  const std::string below = "\xCC\x96", acute = "\xCC\x81";
  EXPECT_EQ(normalized("xe" + repeated(acute + below, times) + "y"),
            "x\xC3\xA9" + repeated(below, times) + repeated(acute, times - 1) + "y");
}

// U+0F73 is U+0F71 (class 129) and U+0F72 (130), U+0344 is U+0308 and U+0301.
TEST(Nfc, SortsLongRunsOfCharactersThatAreTwoMarks) {
  constexpr std::size_t times = 100;
  const std::string below = "\xCC\x96", two_tibetan = "\xE0\xBD\xB3", diaeresis_acute = "\xCD\x84";
  EXPECT_EQ(normalized("a" + repeated(below + two_tibetan, times)),
            "a" + repeated("\xE0\xBD\xB1", times) + repeated("\xE0\xBD\xB2", times) + repeated(below, times));
  EXPECT_EQ(normalized("q" + repeated(diaeresis_acute + below, times)),
            "q" + repeated(below, times) + repeated("\xCC\x88\xCC\x81", times));
}

// Runs of 2 to 200 marks, short ones by ICU alone, are ordered alike: what is inserted is what is sorted.
TEST(Nfc, OrdersLongRunsAsShortOnes) {
  const std::vector<std::string> marks{"\xCC\x96", "\xCC\x81", "\xCC\xB8", "\xCD\x85", "\xCC\x80"};
  std::uint64_t state = 1;
  const auto random_marks = [&](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      text += marks[(state >> 33) % marks.size()];
    }
    return text;
  };
  for (std::size_t count : {2, 60, 64, 65, 70, 200}) {
    const std::string run = random_marks(count), text = "a" + run + "b " + run;
    // Mark by mark, with what came before in normal form: never a long run out of order.
    std::string expected = "a";
    for (std::size_t i = 0; i < run.size(); i += 2) expected = normalized(expected + run.substr(i, 2));
    const auto result = NfcNormalizer().normalize(text);
    ASSERT_TRUE(result);
    EXPECT_TRUE(result->text.starts_with(expected + "b ")) << count;
    std::vector<std::size_t> offsets = original_offsets(*result);
    EXPECT_TRUE(std::is_sorted(offsets.begin(), offsets.end()));
    EXPECT_EQ(offsets[expected.size()], 1 + run.size()) << "the place of b, " << count << " marks";
    EXPECT_EQ(offsets[expected.size() + 1], 2 + run.size()) << "of the blank";
  }
}

TEST(Nfc, KeepsMarksThatDoNotChangeApart) {
  // e, dot below, acute: the dot composes, the acute stays.
  const auto result = NfcNormalizer().normalize("e\xCC\xA3\xCC\x81");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->text, "\xE1\xBA\xB9\xCC\x81");
  EXPECT_EQ(original_offsets(*result), (std::vector<std::size_t>{0, 0, 0, 3, 4}));
}

}  // namespace
}  // namespace moescope
