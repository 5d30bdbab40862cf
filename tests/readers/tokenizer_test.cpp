#include "readers/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "readers/errors.h"

namespace moescope {
namespace {

using nlohmann::json;

json read_json(const std::string& name) {
  std::ifstream stream(MOESCOPE_SOURCE_DIR "/data/" + name);
  return json::parse(stream);
}

const Tokenizer& tiny_tokenizer() {
  static const Tokenizer tokenizer =
      Tokenizer::load(MOESCOPE_SOURCE_DIR "/data/tiny-dots1/tiny-dots1-00T/tokenizer.json");
  return tokenizer;
}

// data/golden/tokenizer_goldens.json: made by the Rust library (npm tokenizers 0.23.2).
void expect_goldens(const std::string& group, std::size_t expected_count) {
  const json goldens = read_json("golden/tokenizer_goldens.json").at(group);
  ASSERT_EQ(goldens.size(), expected_count);
  for (const json& golden : goldens) {
    const std::string text = golden.at("text");
    const auto expected = golden.at("ids").get<std::vector<std::uint32_t>>();
    EXPECT_EQ(tiny_tokenizer().encode(text).ids, expected) << golden.at("text");
    EXPECT_EQ(tiny_tokenizer().decode(expected), golden.at("decoded").get<std::string>())
        << golden.at("text");
  }
}

TEST(Tokenizer, AgreesWithTheReferenceOnTrickyStrings) {
  expect_goldens("tricky", 98);
}

TEST(Tokenizer, AgreesWithTheReferenceOnRandomStrings) {
  expect_goldens("fuzz", 400);
}

}  // namespace
}  // namespace moescope
