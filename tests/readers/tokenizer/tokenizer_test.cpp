#include "readers/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "readers/errors.h"
#include "readers/files/sha256.h"
#include "readers/files/source_file.h"
#include "readers/tokenizer/nfc.h"
#include "tests/support/source_path.h"

namespace moescope {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

json read_json(const std::string& name) {
  std::ifstream stream(source_path("data/") + name);
  return json::parse(stream);
}

const Tokenizer& tiny_tokenizer() {
  static const Tokenizer tokenizer =
      Tokenizer::load(source_path("data/tiny-dots1/tiny-dots1-00T/tokenizer.json"));
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

// data/golden/tokenizers/goldens.json: by the Rust library (npm tokenizers 0.23.2).
const json& kind_goldens() {
  static const json goldens = read_json("golden/tokenizers/goldens.json");
  return goldens;
}

json kind_of(const std::string& name) {
  for (const json& kind : kind_goldens().at("kinds")) {
    if (kind.at("name") != name) continue;
    json document = read_json("golden/tokenizers/" + kind.at("vocabulary").get<std::string>());
    document.merge_patch(kind.at("patch"));
    return document;
  }
  ADD_FAILURE() << name;
  return {};
}

std::string in_one_line(const std::vector<std::uint32_t>& ids) {
  std::string line;
  for (const std::uint32_t id : ids) line += (line.empty() ? "" : " ") + std::to_string(id);
  return line;
}

TEST(Tokenizer, AgreesWithTheReferenceForEveryKind) {
  const json& texts = kind_goldens().at("texts");
  ASSERT_EQ(texts.size(), 127u);
  ASSERT_EQ(kind_goldens().at("kinds").size(), 17u);
  for (const json& kind : kind_goldens().at("kinds")) {
    const std::string name = kind.at("name");
    const Tokenizer tokenizer = Tokenizer::parse(kind_of(name).dump(), name);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(in_one_line(tokenizer.encode(texts[i].get<std::string>()).ids), kind.at("ids")[i])
          << name << ": " << texts[i];
    }
  }
}

const std::string& tiny_json() {
  static const std::string text =
      read_whole_file(source_path("data/tiny-dots1/tiny-dots1-00T/tokenizer.json"));
  return text;
}

using Edit = std::function<void(json&)>;

Tokenizer edited(const Edit& edit) {
  json document = json::parse(tiny_json());
  edit(document);
  return Tokenizer::parse(document.dump(), "tokenizer.json");
}

/// What parsing throws: "format: MESSAGE" or "unsupported: MESSAGE [HINT]".
std::string failure(const std::string& text) {
  try {
    Tokenizer::parse(text, "tokenizer.json");
  } catch (const FormatError& error) {
    return std::string("format: ") + error.what();
  } catch (const UnsupportedModel& error) {
    return std::string("unsupported: ") + error.what() + " [" + error.hint() + "]";
  }
  return "nothing";
}

std::string failure(const Edit& edit) {
  json document = json::parse(tiny_json());
  edit(document);
  return failure(document.dump());
}

json added_token(std::uint32_t id, const std::string& content, bool normalized) {
  return {{"id", id},        {"content", content},       {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", normalized}, {"special", false}};
}

std::string nfc(const std::string& text) {
  const auto normalized = NfcNormalizer().normalize(text);
  return normalized ? normalized->text : text;
}

// A text of pieces that are apt to go wrong together.
std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> pieces = {"a",
                                                  "The",
                                                  " the",
                                                  "'s",
                                                  "'LL",
                                                  " ",
                                                  "  ",
                                                  "\n",
                                                  "\r\n",
                                                  "\t",
                                                  "12",
                                                  "x1",
                                                  "--",
                                                  "...",
                                                  "\xC3\xA9",
                                                  "e\xCC\x81",
                                                  "\xCC\x81",
                                                  "\xCC\xA3",
                                                  "\xE2\x84\xAB",
                                                  "\xE0\xA5\x98",
                                                  "\xE4\xBD\xA0",
                                                  "\xED\x95\x9C",
                                                  "\xF0\x9F\x98\x80",
                                                  "<|im_end|>",
                                                  "<|im_",
                                                  "\xC2\x85",
                                                  "\xEF\xBB\xBF",
                                                  "\xE2\x80\xA8",
                                                  std::string(1, '\0'),
                                                  "\xF0\xBA\xAF\xA0"};
  std::string text;
  for (auto count = random() % 12; count > 0; --count) text += pieces[random() % pieces.size()];
  return text;
}

TEST(Tokenizer, GivesTheNormalizedTextBack) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random_text(random);
    // Added tokens split the text before it is normalized, so compare where none is near.
    if (text.find('<') != std::string::npos) continue;
    EXPECT_EQ(tiny_tokenizer().decode(tiny_tokenizer().encode(text).ids), nfc(text)) << json(text);
  }
}

void expect_good_offsets(const Tokenizer& tokenizer, int count) {
  std::mt19937 random(2);
  for (int i = 0; i < count; ++i) {
    const std::string text = random_text(random);
    const TokenizedText tokens = tokenizer.encode(text);
    ASSERT_EQ(tokens.ids.size(), tokens.offsets.size());
    EXPECT_TRUE(std::is_sorted(tokens.offsets.begin(), tokens.offsets.end())) << json(text);
    for (const std::uint32_t offset : tokens.offsets) {
      ASSERT_LT(offset, text.size());
      EXPECT_NE(static_cast<unsigned char>(text[offset]) & 0xC0, 0x80) << json(text);
    }
  }
}

TEST(Tokenizer, OffsetsAscendAndBeginCharacters) {
  expect_good_offsets(tiny_tokenizer(), 2000);
}

TEST(Tokenizer, OffsetsOfEveryKindAscendAndBeginCharacters) {
  for (const json& kind : kind_goldens().at("kinds")) {
    const std::string name = kind.at("name");
    expect_good_offsets(Tokenizer::parse(kind_of(name).dump(), name), 100);
  }
}

TEST(Tokenizer, TokensOfPlainTextAreTheBytesAtTheirOffsets) {
  const std::string text = "The lighthouse at Carrow Point, <|im_start|>never  meant\r\n to be 12 homes.";
  const TokenizedText tokens = tiny_tokenizer().encode(text);
  for (std::size_t i = 0; i < tokens.ids.size(); ++i) {
    const std::string bytes = tiny_tokenizer().decode({tokens.ids[i]});
    EXPECT_EQ(text.substr(tokens.offsets[i], bytes.size()), bytes);
  }
}

TEST(Tokenizer, TextsSplitBeforeASpaceAfterALetterHaveTheSameTokensTogether) {
  const TokenizedText whole = tiny_tokenizer().encode("several small words");
  std::vector<std::uint32_t> joined;
  for (const char* part : {"several", " small", " words"}) {
    const auto ids = tiny_tokenizer().encode(part).ids;
    joined.insert(joined.end(), ids.begin(), ids.end());
  }
  EXPECT_EQ(whole.ids, joined);
}

TEST(Tokenizer, OffsetsCountBytesOfTheTextBeforeNormalization) {
  // 1, e and acute (one token each for the two bytes of e with acute), 2.
  const TokenizedText tokens = tiny_tokenizer().encode(
      "1e\xCC\x81"
      "2");
  EXPECT_THAT(tokens.offsets, ElementsAre(0, 1, 1, 4));
}

TEST(Tokenizer, TakesALongRunInNLogN) {
  const std::string run(1'000'000, 'a');
  const TokenizedText tokens = tiny_tokenizer().encode(run);
  EXPECT_EQ(tiny_tokenizer().decode(tokens.ids), run);
}

TEST(Tokenizer, TakesTheTextsOfSeveralThreads) {
  const std::string text = "The same text, the same tokens: e\xCC\x81 <|im_end|>\n";
  const auto expected = tiny_tokenizer().encode(text).ids;
  std::vector<std::vector<std::uint32_t>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) result = tiny_tokenizer().encode(text).ids;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(results, testing::Each(expected));
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) {
  for (const auto& [text, byte] : std::vector<std::pair<std::string, std::string>>{
           {"abc\xFF", "3"}, {"\xC3", "0"}, {"a\xE2\x82", "1"}, {"\xED\xA0\x80", "0"}, {"\xC0\x80", "0"}}) {
    try {
      tiny_tokenizer().encode(text);
      FAIL() << byte;
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr("not valid UTF-8 at byte " + byte));
    }
  }
}

TEST(Tokenizer, SaysWhatItHas) {
  EXPECT_EQ(tiny_tokenizer().vocabulary_size(), 1024u);
  EXPECT_EQ(tiny_tokenizer().sha256(), sha256_hex(tiny_json()));
  EXPECT_EQ(tiny_tokenizer().decode({1022, 220, 1023}), "<|im_start|> <|im_end|>");
  EXPECT_THROW(tiny_tokenizer().decode({1024}), std::out_of_range);
}

TEST(Tokenizer, TakesMergesAsPairs) {
  const Tokenizer tokenizer = edited([](json& document) {
    for (json& merge : document["model"]["merges"]) {
      const std::string text = merge;
      const auto space = text.find(' ');
      merge = json::array({text.substr(0, space), text.substr(space + 1)});
    }
  });
  const std::string text = "Either form of merges makes the same tokens.";
  EXPECT_EQ(tokenizer.encode(text).ids, tiny_tokenizer().encode(text).ids);
}

// The expected ids of the next two are those of the Rust library (npm tokenizers 0.23.2) for the same
// edits.
TEST(Tokenizer, CutsOutTheLongestAddedToken) {
  const Tokenizer tokenizer = edited([](json& document) {
    document["added_tokens"].push_back(added_token(1024, "<|im", false));
    document["added_tokens"].push_back(added_token(1025, "<|im_start|><|im_", false));
  });
  EXPECT_THAT(tokenizer.encode("<|im_start|>").ids, ElementsAre(1022));
  EXPECT_THAT(tokenizer.encode("<|im_start|><|im_end|>").ids, ElementsAre(1025, 477, 91, 29));
  EXPECT_THAT(tokenizer.encode("<|im<|im_end|>").ids, ElementsAre(1024, 1023));
}

TEST(Tokenizer, LooksForNormalizedAddedTokensInNormalizedText) {
  const Tokenizer tokenizer = edited([](json& document) {
    document["added_tokens"].push_back(added_token(1024, "e\xCC\x81x", true));
    document["added_tokens"].push_back(added_token(1025, "o\xCC\x81x", false));
  });
  EXPECT_THAT(tokenizer.encode("e\xCC\x81x").ids, ElementsAre(1024));
  EXPECT_THAT(tokenizer.encode("\xC3\xA9x").ids, ElementsAre(1024));
  EXPECT_THAT(tokenizer.encode("o\xCC\x81x").ids, ElementsAre(1025));
  EXPECT_THAT(tokenizer.encode("\xC3\xB3x").ids, testing::Not(testing::Contains(1025)));
  EXPECT_THAT(tokenizer.encode("1e\xCC\x81x2").offsets, ElementsAre(0, 1, 5));
}

TEST(Tokenizer, ReadsIdsFromTheFile) {
  const Tokenizer tokenizer = edited([](json& document) { document["added_tokens"][0]["id"] = 151643; });
  EXPECT_THAT(tokenizer.encode("<|endoftext|>").ids, ElementsAre(151643));
  EXPECT_EQ(tokenizer.vocabulary_size(), 151644u);
}

TEST(Tokenizer, RefusesStepsThatItDoesNotKnow) {
  const auto refused = [](const Edit& edit, const std::string& message) {
    EXPECT_THAT(failure(edit), testing::AllOf(testing::StartsWith("unsupported: "), HasSubstr(message)));
  };
  refused([](json& d) { d["normalizer"] = "NFC"; }, "'normalizer': is not one that is known");
  refused([](json& d) { d["normalizer"]["type"] = "NFKC"; }, "found {\"type\":\"NFKC\"}");
  refused([](json& d) { d["pre_tokenizer"] = nullptr; }, "'pre_tokenizer'");
  refused([](json& d) { d["pre_tokenizer"]["pretokenizers"].erase(1); },
          "'pre_tokenizer.pretokenizers[0]': is not one that is known (expected a ByteLevel");
  refused([](json& d) { d["pre_tokenizer"]["pretokenizers"][0]["type"] = "Digits"; },
          "'pre_tokenizer.pretokenizers[0]': is not one that is known (expected a Split");
  refused([](json& d) { d["pre_tokenizer"]["pretokenizers"] = 1; }, "'pre_tokenizer.pretokenizers'");
  refused([](json& d) { d["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\s+"; },
          "pretokenizers[0].pattern': is none that is known, '\\\\s+' [known are the patterns of GPT-2, ");
  refused(
      [](json& d) {
        d["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {{"String", " "}};
      },
      "found {\"String\":\" \"}");
  refused([](json& d) { d["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed"; }, "behavior'");
  refused([](json& d) { d["pre_tokenizer"]["pretokenizers"][0]["invert"] = true; }, "invert'");
  refused([](json& d) { d["pre_tokenizer"]["pretokenizers"][1]["use_regex"] = 1; }, "use_regex'");
  refused([](json& d) { d["pre_tokenizer"]["pretokenizers"][1].erase("add_prefix_space"); },
          "add_prefix_space'");
  refused([](json& d) { d["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = true; },
          "add_prefix_space'");
  refused([](json& d) { d["post_processor"] = {{"type", "BertProcessing"}}; }, "'post_processor'");
  refused([](json& d) { d["post_processor"] = {{"type", "TemplateProcessing"}}; }, "'post_processor.single'");
  refused([](json& d) { d["model"]["type"] = "WordPiece"; }, "'model'");
  refused([](json& d) { d.erase("model"); }, "'model'");
  refused([](json& d) { d["model"]["ignore_merges"] = 1; }, "'model.ignore_merges'");
  refused([](json& d) { d["model"]["dropout"] = 0.1; }, "'model.dropout'");
  refused([](json& d) { d["model"]["end_of_word_suffix"] = "</w>"; }, "'model.end_of_word_suffix'");
  for (const char* key : {"lstrip", "rstrip", "single_word"}) {
    refused([&](json& d) { d["added_tokens"][1][key] = true; }, std::string("'added_tokens[1].") + key + "'");
  }
}

TEST(Tokenizer, RefusesStepsOfCharactersThatItDoesNotKnow) {
  const auto refused = [](const char* kind, const Edit& edit, const std::string& message) {
    json document = kind_of(kind);
    edit(document);
    EXPECT_THAT(failure(document.dump()),
                testing::AllOf(testing::StartsWith("unsupported: "), HasSubstr(message)))
        << message;
  };
  refused(
      "Llama 2", [](json& d) { d["normalizer"]["normalizers"][0]["prepend"] = "_"; }, "'normalizer'");
  refused(
      "Llama 2", [](json& d) { d["normalizer"]["normalizers"][1]["pattern"]["String"] = "  "; },
      "'normalizer'");
  refused(
      "Llama 2", [](json& d) { d["normalizer"]["normalizers"].erase(1); }, "'normalizer'");
  refused(
      "Llama 2",
      [](json& d) {
        d["pre_tokenizer"] = {{"type", "Metaspace"}};
      },
      "'pre_tokenizer'");
  refused(
      "Llama 2", [](json& d) { d["model"]["byte_fallback"] = false; }, "'model.byte_fallback'");
  refused(
      "Llama 2", [](json& d) { d["model"]["ignore_merges"] = true; }, "'model.ignore_merges'");
  refused(
      "Metaspace first", [](json& d) { d["pre_tokenizer"]["replacement"] = "_"; }, "replacement'");
  refused(
      "Metaspace first", [](json& d) { d["pre_tokenizer"]["prepend_scheme"] = "last"; }, "prepend_scheme'");
  refused(
      "Metaspace first", [](json& d) { d["pre_tokenizer"]["add_prefix_space"] = false; }, "prepend_scheme'");
  refused(
      "Metaspace first", [](json& d) { d["pre_tokenizer"]["split"] = "no"; }, "split'");
}

// A pattern that leaves gaps would lose them.
TEST(Tokenizer, RefusesToRemoveWhatAPatternDoesNotMatch) {
  json document = kind_of("DeepSeek-V3");
  json& split = document["pre_tokenizer"]["pretokenizers"][0];
  split["behavior"] = "Removed";
  split["invert"] = true;
  EXPECT_THAT(failure(document.dump()), HasSubstr("'pre_tokenizer.pretokenizers[0].behavior'"));
}

TEST(Tokenizer, AddsNoTokensOfATemplate) {
  json document = kind_of("Llama 2");
  EXPECT_EQ(document.at("post_processor").at("type"), "TemplateProcessing");
  EXPECT_THAT(Tokenizer::parse(document.dump(), "").encode("a").ids, testing::Not(testing::Contains(1)));
  document["post_processor"] = {{"type", "Sequence"}, {"processors", {document["post_processor"]}}};
  EXPECT_THAT(Tokenizer::parse(document.dump(), "").encode("a").ids, testing::Not(testing::Contains(1)));
  json& single = document["post_processor"]["processors"][0]["single"];
  single.push_back(single[1]);  // the text twice
  EXPECT_THAT(failure(document.dump()), HasSubstr("'post_processor.processors[0].single'"));
}

TEST(Tokenizer, OffsetsLeaveOutAPrefixedSpace) {
  const auto offsets = [](const char* kind, const std::string& text) {
    return Tokenizer::parse(kind_of(kind).dump(), kind).encode(text).offsets;
  };
  EXPECT_THAT(offsets("GPT-2 with prefix space", "zq z"), ElementsAre(0, 0, 1, 2, 3));
  EXPECT_THAT(offsets("Llama 2", "zq\u2581\u2581z"), ElementsAre(0, 1, 2, 8));
  EXPECT_THAT(offsets("Metaspace first", "zq</s>zq"), ElementsAre(0, 1, 2, 6, 7));
}

TEST(Tokenizer, GivesTextsOverCharactersBack) {
  const Tokenizer tokenizer = Tokenizer::parse(kind_of("Llama 2").dump(), "Llama 2");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a \u2581b\n\u05D0").ids), " a  b\n\u05D0");
  EXPECT_EQ(tokenizer.decode({3 + 0xF0, 3 + 0x9F}), "\xF0\x9F");
}

TEST(Tokenizer, TakesALongTextWithoutSpacesInNLogN) {
  for (const char* kind : {"Llama 2", "Llama 2 with merges across words", "no split"}) {
    const Tokenizer tokenizer = Tokenizer::parse(kind_of(kind).dump(), kind);
    std::string text;
    while (text.size() < 1'000'000) text += text.size() % 3 == 0 ? "the \u4F60" : "ae e";
    EXPECT_THAT(tokenizer.decode(tokenizer.encode(text).ids), testing::EndsWith(text)) << kind;
  }
}

TEST(Tokenizer, RefusesAVocabularyOverCharactersThatLacksBytes) {
  const auto refused = [](const char* token, const std::string& message) {
    json document = kind_of("Llama 2");
    document["model"]["vocab"].erase(token);
    EXPECT_THAT(failure(document.dump()), HasSubstr(message));
  };
  refused("<0x0A>", "'model.vocab': has no token '<0x0A>' for byte 10");
  refused("\u2581", "is not in the vocabulary");
}

TEST(Tokenizer, RefusesMergesOfBytes) {
  const auto refused = [](const char* merge) {
    json document = kind_of("Llama 2");
    document["model"]["vocab"]["0x0A>"] = 5000;
    document["model"]["merges"][3] = merge;
    EXPECT_EQ(failure(document.dump()),
              "format: tokenizer.json: 'model.merges[3]': '<0x0A>' is the token of a byte");
  };
  refused("<0x0A> a");
  refused("a <0x0A>");
  refused("< 0x0A>");
}

TEST(Tokenizer, RefusesAVocabularyThatIsNotOne) {
  const auto refused = [](const Edit& edit, const std::string& message) {
    EXPECT_EQ(failure(edit), "format: tokenizer.json: " + message);
  };
  refused([](json& d) { d["model"].erase("vocab"); }, "'model.vocab': is missing");
  refused([](json& d) { d["model"]["vocab"] = json::array(); },
          "'model.vocab': expected a JSON object, found []");
  refused([](json& d) { d["model"]["vocab"]["a"] = -1; },
          "'model.vocab.a': expected an integer from 0 to 16777215, found -1");
  refused([](json& d) { d["model"]["vocab"]["a"] = 1.0; },
          "'model.vocab.a': expected an integer from 0 to 16777215, found 1.0");
  refused([](json& d) { d["model"]["vocab"]["a"] = 4294967296; },
          "'model.vocab.a': expected an integer from 0 to 16777215, found 4294967296");
  refused([](json& d) { d["model"]["vocab"]["a"] = 1023; },
          "added token '<|im_end|>': has id 1023, which the vocabulary contradicts");
  refused([](json& d) { d["model"]["vocab"].erase("\xC4\xA0"); },
          "'model.vocab': has no token '\xC4\xA0' for byte 32");
  EXPECT_THAT(failure([](json& d) { d["model"]["vocab"]["new"] = 5; }),
              HasSubstr("has id 5, as another token has"));
}

TEST(Tokenizer, RefusesMergesThatAreNone) {
  const auto refused = [](const json& merge, const std::string& message) {
    EXPECT_EQ(failure([&](json& d) { d["model"]["merges"][3] = merge; }),
              "format: tokenizer.json: 'model.merges[3]': " + message);
  };
  refused("ab", "expected two tokens, found \"ab\"");
  refused("a b c", "expected two tokens, found \"a b c\"");
  refused(7, "expected two tokens, found 7");
  refused({"a"}, "expected two tokens, found [\"a\"]");
  refused({"a", 1}, "expected two tokens, found [\"a\",1]");
  refused("a \xE2\x82\xAC", "'\xE2\x82\xAC' is not in the vocabulary");
  refused("z q", "'zq' is not in the vocabulary");
  EXPECT_THAT(failure([](json& d) { d["model"]["merges"] = 3; }),
              HasSubstr("'model.merges': expected a list"));
  EXPECT_THAT(failure([](json& d) { d["model"].erase("merges"); }), HasSubstr("'model.merges': is missing"));
}

TEST(Tokenizer, RefusesAddedTokensThatAreNone) {
  const auto refused = [](const Edit& edit, const std::string& message) {
    EXPECT_THAT(failure(edit), testing::AllOf(testing::StartsWith("format: "), HasSubstr(message)));
  };
  refused([](json& d) { d["added_tokens"] = 1; }, "'added_tokens': expected a list");
  refused([](json& d) { d["added_tokens"][0] = 1; }, "'added_tokens[0]': expected a JSON object");
  refused([](json& d) { d["added_tokens"][0].erase("id"); }, "'added_tokens[0].id': is missing");
  refused([](json& d) { d["added_tokens"][0]["content"] = ""; }, "'added_tokens[0].content': is empty");
  refused([](json& d) { d["added_tokens"][0]["content"] = 7; },
          "'added_tokens[0].content': expected a string");
  refused([](json& d) { d["added_tokens"][1] = d["added_tokens"][0]; }, "is an added token already");
  refused([](json& d) { d["added_tokens"][1]["id"] = 1021; },
          "has id 1021, which the vocabulary contradicts");
  refused([](json& d) { d["added_tokens"][1]["content"] = "a"; },
          "'a': has id 1022, which the vocabulary contradicts");
}

TEST(Tokenizer, RefusesWhatIsNotJson) {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[1]"), std::string("null"),
        tiny_json().substr(0, tiny_json().size() / 2), tiny_json() + "}", std::string(100000, '['),
        std::string("{\"a\":\"\xFF\"}"), std::string("{\"model\": 1, \"model\": 2}")}) {
    EXPECT_THAT(failure(text), testing::StartsWith("format: tokenizer.json: ")) << text.substr(0, 40);
  }
}

TEST(Tokenizer, MustExist) {
  EXPECT_THROW(Tokenizer::load("/nowhere/tokenizer.json"), MissingInput);
}

}  // namespace
}  // namespace moescope
