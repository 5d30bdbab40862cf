#include "readers/nfc.h"
#include "tests/support/source_path.h"

#include <gtest/gtest.h>

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

std::vector<std::size_t> original_offsets(const NormalizedText& normalized) {
  OriginalOffsets offsets(normalized.changes);
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < normalized.text.size(); ++i) result.push_back(offsets.at(i));
  return result;
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

TEST(Nfc, KeepsMarksThatDoNotChangeApart) {
  // e, dot below, acute: the dot composes, the acute stays.
  const auto result = NfcNormalizer().normalize("e\xCC\xA3\xCC\x81");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->text, "\xE1\xBA\xB9\xCC\x81");
  EXPECT_EQ(original_offsets(*result), (std::vector<std::size_t>{0, 0, 0, 3, 4}));
}

}  // namespace
}  // namespace moescope
