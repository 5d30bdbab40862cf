#include "analysis/runs/series_corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "tests/support/source_path.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A text, and tokenizers made of the demonstration series'.
class SeriesCorpusTest : public testing::Test {
 protected:
  SeriesCorpusTest() {
    config_.vocab_size = 1024;
    config_.max_position_embeddings = 8;
    options_.inputs.corpus = {{"", directory_ / "texts.jsonl"}};
    write_file(directory_ / "texts.jsonl", "{\"text\": \"42\"}\n{\"text\": \"3 zebras\"}\n");
  }

  /// Adds a checkpoint with these replacements in its tokenizer.json.
  void add(const std::string& name, const std::vector<std::pair<std::string, std::string>>& replacements) {
    std::string json = original_;
    for (const auto& [from, to] : replacements) {
      ASSERT_NE(json.find(from), std::string::npos) << from;
      json.replace(json.find(from), from.size(), to);
    }
    write_file(directory_ / name / "tokenizer.json", json);
    places_.push_back({name, directory_ / name / "tokenizer.json"});
  }
  void add_without(const std::string& name) { places_.push_back({name, {}}); }

  SeriesCorpus read() const {
    return read_series_corpus(options_.inputs, options_.resources.memory, places_, config_);
  }

  TemporaryDirectory directory_;
  AnalysisOptions options_;
  ModelConfig config_;
  std::vector<TokenizerPlace> places_;
  std::string original_ = read_whole_file(source_path("data/tiny-dots1/tiny-dots1-00T/tokenizer.json"));
};

TEST_F(SeriesCorpusTest, OneTokenizerForAllIsNoNews) {
  add("a", {});
  add("b", {});
  const SeriesCorpus found = read();
  EXPECT_EQ(found.tokenizer_sha256.size(), 64u);
  EXPECT_THAT(found.notes, IsEmpty());
}

TEST_F(SeriesCorpusTest, AFileThatDiffersButGivesTheSameIdsIsANote) {
  add("a", {});
  add("b", {{"{", "{ "}});
  EXPECT_THAT(read().notes,
              ElementsAre("'b': another tokenizer.json than that of 'a', which gives these texts the same "
                          "token ids"));
}

TEST_F(SeriesCorpusTest, IdsThatDifferAreRefusedNamingBothCheckpointsAndTheText) {
  add("a", {});
  add("b", {{"\"3\": 18", "\"3\": 19"}, {"\"4\": 19", "\"4\": 18"}});
  add("c", {{"\"z\": 89", "\"z\": 90"}, {"\"{\": 90", "\"{\": 89"}});
  try {
    read();
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_EQ(error.what(), (directory_ / "b").string() +
                                "/tokenizer.json: gives other token ids than that of checkpoint 'a' (" +
                                (directory_ / "texts.jsonl").string() +
                                ": line 1: token 0, byte 0 of the text: expected 19, found 18)");
    EXPECT_THAT(error.hint(), HasSubstr("analyse 'b' in a run of its own"));
  }
  // Only ids that are used count.
  options_.inputs.corpus_options.max_tokens = 1;
  write_file(directory_ / "texts.jsonl", "{\"text\": \"1 z3\"}\n");
  EXPECT_EQ(read().corpus.tokens(), 1u);
}

TEST_F(SeriesCorpusTest, ACheckpointWithoutATokenizerTakesThatOfTheOthers) {
  add_without("a");
  add("b", {});
  add_without("c");
  EXPECT_THAT(read().notes, ElementsAre("'a' and 'c': no tokenizer.json; that of 'b' is taken"));
}

// Which tokenizers moescope knows is of no concern to ids that are given.
TEST_F(SeriesCorpusTest, TokenIdsNeedNoTokenizerThatIsUnderstood) {
  options_.inputs.corpus = {{"", source_path("data/eval_text/ids256.npy")}};
  config_.max_position_embeddings = 256;
  add("a", {{"NFC", "NFKC"}});
  EXPECT_THAT(read().notes, IsEmpty());
  add("b", {});
  EXPECT_THAT(read().notes,
              ElementsAre(HasSubstr("'b': another tokenizer.json than that of 'a'; the token ids given are "
                                    "taken to mean the same")));
}

TEST_F(SeriesCorpusTest, SequencesThatAreLongerThanTheModelsContextAreANote) {
  add("a", {});
  write_file(directory_ / "texts.jsonl", "{\"text\": \"123456789\"}\n");
  EXPECT_THAT(read().notes,
              ElementsAre(HasSubstr("the longest sequence has 9 tokens, and the model was made for 8")));
  options_.inputs.corpus_options.sequence_length = 8;
  EXPECT_THAT(read().notes, IsEmpty());
}

TEST_F(SeriesCorpusTest, TokenizersThatAreNotThoseOfRecordedIdsAreNamed) {
  add("a", {});
  add("b", {{"{", "{ "}});
  const std::string sha256 = read().tokenizer_sha256;
  EXPECT_THAT(other_tokenizers_note(places_, sha256), HasSubstr("'b': not the tokenizer.json with which"));
  places_.pop_back();
  EXPECT_EQ(other_tokenizers_note(places_, sha256), "");
}

}  // namespace
}  // namespace moescope
