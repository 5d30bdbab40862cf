#include "readers/corpus/corpus_reader.h"
#include "readers/corpus/corpus.h"
#include "readers/corpus/corpus_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "readers/errors.h"
#include "readers/tokenizer/tokenizer.h"
#include "tests/support/source_path.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint32_t tiny_vocabulary = 1024;

const Tokenizer& tiny_tokenizer() {
  static const Tokenizer tokenizer =
      Tokenizer::load(source_path("data/tiny-dots1/tiny-dots1-00T/tokenizer.json"));
  return tokenizer;
}

Corpus read(const std::vector<CorpusSource>& sources, const CorpusOptions& options = {}) {
  return read_corpus(sources, options, &tiny_tokenizer(), tiny_vocabulary);
}

/// What reading throws, "MESSAGE [HINT]".
std::string failure(const std::vector<CorpusSource>& sources, const CorpusOptions& options = {},
                    const Tokenizer* tokenizer = &tiny_tokenizer()) {
  try {
    read_corpus(sources, options, tokenizer, tiny_vocabulary);
  } catch (const FormatError& error) {
    return std::string(error.what()) + " [" + error.hint() + "]";
  } catch (const UsageError& error) {
    return std::string("usage: ") + error.what();
  }
  return "nothing";
}

std::vector<CorpusSource> evaluation_texts() {
  const std::filesystem::path folder = source_path("data/eval_text");
  return {{"", folder / "prose.jsonl"},
          {"", folder / "c.jsonl"},
          {"", folder / "python.jsonl"},
          {"", folder / "math.jsonl"}};
}

// ids256.json: first 256 tokens of each of the 16 passages by the Rust library.
TEST(Corpus, GivesTheReferenceTokensOfTheEvaluationTexts) {
  std::ifstream stream(source_path("data/eval_text/ids256.json"));
  const nlohmann::json expected = nlohmann::json::parse(stream);
  CorpusOptions options;
  options.sequence_length = 1u << 20;  // a sequence is a passage
  const Corpus corpus = read(evaluation_texts(), options);
  EXPECT_THAT(corpus.domains, ElementsAre("prose", "c", "python", "math"));
  ASSERT_EQ(corpus.sequences(), 16u);
  for (std::size_t i = 0; i < 16; ++i) {
    const auto start = corpus.token_id.begin() + static_cast<std::ptrdiff_t>(corpus.sequence_start[i]);
    ASSERT_GE(corpus.sequence_start[i + 1] - corpus.sequence_start[i], 256u);
    EXPECT_EQ(nlohmann::json(std::vector<std::uint32_t>(start, start + 256)), expected.at("ids").at(i))
        << "passage " << i;
    EXPECT_EQ(corpus.domain[corpus.sequence_start[i]], static_cast<int>(i / 4)) << "passage " << i;
  }
}

// A .npy file of version 1 with one row per vector; rows have one length.
std::string npy_of(const std::vector<std::vector<std::int32_t>>& rows) {
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (" + std::to_string(rows.size()) +
                       ", " + std::to_string(rows.at(0).size()) + "), }\n";
  std::string bytes = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header;
  for (const auto& row : rows) bytes.append(reinterpret_cast<const char*>(row.data()), row.size() * 4);
  return bytes;
}

class CorpusFiles : public testing::Test {
 protected:
  CorpusSource file(const std::string& name, const std::string& content, const std::string& domain = {}) {
    write_file(directory_ / name, content);
    return {domain, directory_ / name};
  }

  ~CorpusFiles() override {
    for (std::thread& writer : writers_) writer.join();
  }

  TemporaryDirectory directory_;
  std::vector<std::thread> writers_;  // of pipes
};

TEST_F(CorpusFiles, CutLongDocumentsIntoSequences) {
  CorpusOptions options;
  options.sequence_length = 4;
  const Corpus corpus = read({file("a.npy", npy_of({{0, 1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, 11}}))}, options);
  EXPECT_THAT(corpus.token_id, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_THAT(corpus.sequence_start, ElementsAre(0, 4, 6, 10, 12));
  EXPECT_THAT(corpus.position, ElementsAre(0, 1, 2, 3, 0, 1, 0, 1, 2, 3, 0, 1));
  EXPECT_THAT(corpus.document, ElementsAre(0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1));
  EXPECT_THAT(corpus.text_offset, testing::Each(-1));
  EXPECT_THAT(corpus.domains, ElementsAre("a"));
}

TEST_F(CorpusFiles, AreThePassagesOfTheReferenceWhenGivenAsIds) {
  const Corpus ids = read({{"", source_path("data/eval_text/ids256.npy")}});
  CorpusOptions options;
  options.sequence_length = 256;
  const Corpus text = read(evaluation_texts(), options);
  ASSERT_EQ(ids.sequences(), 16u);
  for (std::size_t i = 0, j = 0; i < 16; ++i, ++j) {
    while (text.document[text.sequence_start[j]] < static_cast<int>(i)) ++j;
    for (std::size_t t = 0; t < 256; ++t) {
      ASSERT_EQ(ids.token_id[ids.sequence_start[i] + t], text.token_id[text.sequence_start[j] + t])
          << i << ' ' << t;
    }
  }
}

TEST_F(CorpusFiles, TakeTheDomainFromTheArgumentThenTheRecordThenTheName) {
  const std::string lines = R"({"text": "a", "meta": {"pile_set_name": "Books"}, "domain": "x"})"
                            "\n"
                            R"({"text": "b", "domain": "y"})"
                            "\n"
                            R"({"text": "c"})"
                            "\n";
  EXPECT_THAT(read({file("name.jsonl", lines)}).domains, ElementsAre("Books", "y", "name"));
  EXPECT_THAT(read({file("name.jsonl", lines, "mine")}).domains, ElementsAre("mine"));
  EXPECT_THAT(read({file("some.name.txt", "text")}).domains, ElementsAre("some.name"));
}

TEST_F(CorpusFiles, OfOneNameAreToldApartByTheirDirectories) {
  EXPECT_THAT(read({file("wiki/test.jsonl", R"({"text": "1"})"), file("code/test.jsonl", R"({"text": "2"})"),
                    file("code/other.txt", "3")})
                  .domains,
              ElementsAre("wiki/test", "code/test", "other"));
  EXPECT_THAT(read({file("wiki.txt", "1"), file("wiki.jsonl", R"({"text": "2"})")}).domains,
              ElementsAre("wiki.txt", "wiki.jsonl"));
  // Domains that are given are what they are.
  EXPECT_THAT(read({file("wiki/test.txt", "1", "d"), file("code/test.txt", "2", "d")}).domains,
              ElementsAre("d"));
}

TEST_F(CorpusFiles, AreNotGivenTwice) {
  const CorpusSource once = file("a.txt", "1");
  std::filesystem::create_symlink("a.txt", directory_ / "b.txt");
  EXPECT_THAT(failure({once, {"", directory_ / "./a.txt"}}), HasSubstr("a.txt: is given twice"));
  EXPECT_THAT(failure({once, {"", directory_ / "b.txt"}}), HasSubstr("b.txt: is given twice"));
  EXPECT_EQ(read({{"x", once.file}, {"y", once.file}}).tokens(), 2u);
}

TEST_F(CorpusFiles, HaveDomainsThatAreUtf8) {
  EXPECT_THAT(read({file("caf\xE9.txt", "1"), file("a.txt", "2", "\xFF")}).domains,
              ElementsAre("caf\uFFFD", "\uFFFD"));
}

TEST_F(CorpusFiles, MayBePipesOfRecordsOrOfText) {
  const auto pipe = [&](const std::string& name, const std::string& content) {
    const std::filesystem::path path = directory_ / name;
    EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
    writers_.emplace_back([path, content] { std::ofstream(path) << content; });
    return CorpusSource{"", path};
  };
  const Corpus corpus = read({pipe("records", "\xEF\xBB\xBF{\"text\": \"1\"}\n{\"text\": \"2\"}\n"),
                              pipe("text", "{ 3 }\n"), pipe("named.jsonl", "{\"text\": \"4\"}\n")});
  EXPECT_THAT(corpus.domains, ElementsAre("records", "text", "named"));
  EXPECT_EQ(corpus.document.back(), 3);
  EXPECT_THAT(failure({pipe("ids", npy_of({{1}}))}),
              HasSubstr("ids: is a .npy array of token ids, not a text"));
}

TEST_F(CorpusFiles, OfRecordsAreNoPageOfHtml) {
  const std::string page = "\n<!DOCTYPE HTML><html>not found</html>";
  EXPECT_THAT(failure({file("a.jsonl", page)}), HasSubstr("a.jsonl: is a page of HTML"));
  EXPECT_THAT(read({file("a.txt", page)}).notes,
              ElementsAre(HasSubstr("a.txt: is a page of HTML, whose tags")));
}

TEST_F(CorpusFiles, AreNoDirectories) {
  file("texts/a.jsonl.zst", "");
  EXPECT_THAT(failure({{"", directory_ / "texts"}}),
              HasSubstr("/texts: is a directory (expected files of texts)"));
}

TEST_F(CorpusFiles, MayHaveByteOrderMarksBeforeRecords) {
  EXPECT_EQ(
      read({file("a.jsonl", "\xEF\xBB\xBF{\"text\": \"1\"}\n\xEF\xBB\xBF{\"text\": \"2\"}\n")}).tokens(), 2u);
}

TEST_F(CorpusFiles, OfOneDomainAreJoined) {
  const Corpus corpus = read({file("a.txt", "0", "d"), file("b.txt", "1", "e"), file("c.txt", "2", "d")});
  EXPECT_THAT(corpus.domains, ElementsAre("d", "e"));
  EXPECT_THAT(corpus.domain, ElementsAre(0, 1, 0));
  EXPECT_THAT(corpus.token_id, ElementsAre(15, 16, 17));  // the digits' ids in the tiny vocabulary
}

TEST_F(CorpusFiles, AreCutAtTheLimitOfEachDomain) {
  CorpusOptions options;
  options.max_tokens = 5;
  const Corpus corpus = read({file("a.npy", npy_of({{0, 1, 2}, {3, 4, 5}, {6, 7, 8}}), "d"),
                              file("b.npy", npy_of({{9, 9, 9}}), "d"), file("c.npy", npy_of({{7}}), "e")},
                             options);
  EXPECT_THAT(corpus.token_id, ElementsAre(0, 1, 2, 3, 4, 7));
  EXPECT_THAT(corpus.sequence_start, ElementsAre(0, 3, 5, 6));
}

TEST_F(CorpusFiles, AreNotReadBeyondTheLimitOfTheirOwnDomain) {
  CorpusOptions options;
  options.max_tokens = 1;
  const std::string lines = "{\"text\": \"0\"}\nthis is no JSON\n";
  EXPECT_THAT(read({file("a.jsonl", lines, "d")}, options).token_id, ElementsAre(15));
  EXPECT_THAT(failure({file("a.jsonl", lines)}, options), HasSubstr("line 2"));
}

TEST_F(CorpusFiles, SkipEmptyDocumentsAndLines) {
  const Corpus corpus =
      read({file("a.jsonl", "{\"text\": \"\"}\n\n  \r\n{\"text\": \"1\"}\r\n{\"text\": \"\"}"),
            file("b.txt", ""), file("c.txt", "2")});
  EXPECT_THAT(corpus.token_id, ElementsAre(16, 17));
  EXPECT_THAT(corpus.document, ElementsAre(0, 1));
  EXPECT_THAT(corpus.domains, ElementsAre("a", "c"));
}

TEST_F(CorpusFiles, RememberTheByteOfEachToken) {
  const Corpus corpus = read({file("a.jsonl", R"({"text": "1\u00e92"})"
                                              "\n"
                                              R"({"text": "34"})")});
  // é has two bytes and, in this vocabulary, two tokens.
  EXPECT_THAT(corpus.text_offset, ElementsAre(0, 1, 1, 3, 0, 1));
}

TEST_F(CorpusFiles, GiveTheTextOfAnyKey) {
  CorpusOptions options;
  options.text_key = "/content/1";
  options.domain_key = "/source";
  const Corpus corpus = read({file("a.jsonl", R"({"content": ["5", "7"], "source": "s"})")}, options);
  EXPECT_THAT(corpus.token_id, ElementsAre(22));
  EXPECT_THAT(corpus.domains, ElementsAre("s"));
}

TEST_F(CorpusFiles, HaveADigestOfWhatTheModelIsShown) {
  const auto sha256 = [&](const std::string& ids, const std::string& domain, std::size_t length) {
    CorpusOptions options;
    options.sequence_length = length;
    return read({file("a.txt", ids, domain)}, options).sha256;
  };
  const std::string digest = sha256("123", "d", 2);
  EXPECT_EQ(digest.size(), 64u);
  EXPECT_EQ(digest, sha256("123", "d", 2));
  EXPECT_NE(digest, sha256("124", "d", 2));
  EXPECT_NE(digest, sha256("123", "e", 2));
  EXPECT_NE(digest, sha256("123", "d", 3));
}

TEST_F(CorpusFiles, WithoutATokenAreRefused) {
  EXPECT_THAT(failure({file("a.jsonl", "")}), HasSubstr("a.jsonl: holds no token"));
  EXPECT_THAT(failure({file("a.txt", ""), file("b.txt", "")}), HasSubstr("corpus: holds no token"));
}

TEST_F(CorpusFiles, RefuseALineThatIsNotARecord) {
  EXPECT_THAT(failure({file("a.jsonl", "{\"text\": \"x\"}\n{\"text\": \n")}),
              HasSubstr("a.jsonl: line 2: is not valid JSON: parse error at column 10"));
  EXPECT_THAT(failure({file("a.jsonl", "[1]\n")}), HasSubstr("line 1: expected a JSON object, found [1]"));
  EXPECT_THAT(failure({file("a.jsonl", "{\"text\": \"\xff\"}\n")}), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(failure({file("a.jsonl", "{\"text\": \"\\ud800\"}\n")}),
              HasSubstr("line 1: is not valid JSON"));
}

TEST_F(CorpusFiles, NameTheKeysOfALineWithoutText) {
  EXPECT_THAT(failure({file("a.jsonl", R"({"content": "x", "id": 3})")}),
              HasSubstr("a.jsonl: line 1: has no /text [the line's keys are '/content', '/id'; --text-key"));
  EXPECT_THAT(failure({file("a.jsonl", R"({"data": {"body": "x", "a/b": 1}, "id": 3})")}),
              HasSubstr("the line's keys are '/data/a~1b', '/data/body', '/id'"));
  EXPECT_THAT(failure({file("a.jsonl", R"({"text": 3})")}),
              HasSubstr("line 1: /text: expected a string, found 3"));
  EXPECT_THAT(failure({file("a.jsonl", R"({"text": "x", "domain": 3})")}),
              HasSubstr("/domain: expected a domain's name, found 3 [write DOMAIN=FILE"));
  EXPECT_THAT(failure({file("a.jsonl", R"({"text": "x", "domain": "a\u0000b"})")}),
              HasSubstr("expected a domain's name"));
  EXPECT_EQ(read({file("a.jsonl", R"({"text": "1", "domain": 3})", "mine")}).domains,
            std::vector<std::string>{"mine"});
}

TEST_F(CorpusFiles, RefuseIdsOutsideTheVocabulary) {
  EXPECT_THAT(
      failure({file("a.npy", npy_of({{1, 2}, {3, 1024}}))}),
      HasSubstr("a.npy: row 1: token id 1024 at position 1 is outside the vocabulary (expected 0 to 1023)"));
  EXPECT_THAT(failure({file("a.npy", npy_of({{-1}}))}), HasSubstr("row 0: token id -1 at position 0"));
  try {
    read_corpus({file("a.txt", "1 <|im_end|>")}, {}, &tiny_tokenizer(), 1000);
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("a.txt: token id 1023 at position 2 is outside the vocabulary"));
    EXPECT_THAT(error.hint(), HasSubstr("tokenizer.json"));
  }
}

TEST_F(CorpusFiles, OfTextNeedATokenizer) {
  EXPECT_THAT(failure({file("a.txt", "text")}, {}, nullptr), HasSubstr("give token ids as .npy"));
  EXPECT_EQ(read_corpus({file("a.npy", npy_of({{1}}))}, {}, nullptr, 2).tokens(), 1u);
}

TEST_F(CorpusFiles, OfTextAreUtf8) {
  EXPECT_THAT(failure({file("a.txt", "abc\xC3(")}), HasSubstr("a.txt: is not valid UTF-8 at byte 3"));
}

TEST_F(CorpusFiles, AreKnownByTheirSuffix) {
  EXPECT_THAT(failure({file("a.csv", "x")}), HasSubstr("usage: "));
  EXPECT_THROW(read({{"", directory_ / "missing.txt"}}), MissingInput);
  EXPECT_THROW(read({{"", directory_ / "missing.npy"}}), MissingInput);
}

TEST_F(CorpusFiles, NeedSensibleOptions) {
  CorpusOptions options;
  options.sequence_length = 0;
  EXPECT_THAT(failure({file("a.txt", "x")}, options), HasSubstr("usage: the sequence length"));
  options = {};
  options.text_key = "text";
  EXPECT_THAT(failure({file("a.txt", "x")}, options), HasSubstr("'text' is not a JSON pointer"));
  EXPECT_THAT(failure({}), HasSubstr("usage: no corpus"));
}

TEST_F(CorpusFiles, AreSplitFromTheirDomainAtTheFirstEqualsSign) {
  const CorpusSource named = parse_corpus_source("wiki=a=b.txt");
  EXPECT_EQ(named.domain, "wiki");
  EXPECT_EQ(named.file, "a=b.txt");
  EXPECT_EQ(parse_corpus_source("a.txt").domain, "");
  const CorpusSource existing = parse_corpus_source(file("x=y.txt", "").file.string());
  EXPECT_EQ(existing.domain, "");
  EXPECT_EQ(existing.file, directory_ / "x=y.txt");
  EXPECT_THROW(parse_corpus_source("=a.txt"), UsageError);
  EXPECT_THROW(parse_corpus_source("wiki="), UsageError);
}

}  // namespace
}  // namespace moescope
