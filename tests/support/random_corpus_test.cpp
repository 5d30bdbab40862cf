#include "tests/support/random_corpus.h"

#include <gtest/gtest.h>

#include <vector>

#include "readers/corpus/corpus.h"
#include "readers/corpus/corpus_reader.h"
#include "readers/files/source_file.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

TEST(RandomCorpus, IsReadWithoutATokenizer) {
  const TemporaryDirectory directory;
  write_random_corpus(directory / "ids.npy", 3, 500, 100, 1);
  const Corpus corpus = read_corpus({{"", directory / "ids.npy"}}, {}, nullptr, 100);
  EXPECT_EQ(corpus.sequences(), 3u);
  EXPECT_EQ(corpus.tokens(), 1500u);
}

TEST(RandomCorpus, UsesTheVocabularyEvenly) {
  const TemporaryDirectory directory;
  write_random_corpus(directory / "ids.npy", 100, 1000, 100, 1);
  const Corpus corpus = read_corpus({{"", directory / "ids.npy"}}, {}, nullptr, 100);
  std::vector<int> counts(100);
  for (const std::uint32_t id : corpus.token_id) ++counts[id];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 160);  // five deviations of 31.5
}

TEST(RandomCorpus, IsTheSameForTheSameSeed) {
  const TemporaryDirectory directory;
  const std::uint64_t seeds[] = {1, 1, 2};
  std::vector<std::string> contents;
  for (const std::uint64_t seed : seeds) {
    write_random_corpus(directory / "ids.npy", 2, 64, 8192, seed);
    contents.push_back(read_whole_file(directory / "ids.npy"));
  }
  EXPECT_EQ(contents[0], contents[1]);
  EXPECT_NE(contents[0], contents[2]);
}

}  // namespace
}  // namespace moescope
