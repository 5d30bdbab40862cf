#include "analysis/forward/token_batch.h"

#include <gtest/gtest.h>

#include <vector>

#include "analysis/forward/forward.h"

namespace moescope {
namespace {

TEST(TokenBatch, BatchesAreWholeSequencesWithinTheLimit) {
  const std::vector<std::size_t> start{0, 3, 5, 12, 13, 14};
  EXPECT_EQ(cut_into_batches(start, 5), (std::vector<std::size_t>{0, 2, 3, 5}));
  EXPECT_EQ(cut_into_batches(start, 8), (std::vector<std::size_t>{0, 2, 4, 5}));
  EXPECT_EQ(cut_into_batches(start, 1), (std::vector<std::size_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(cut_into_batches(start, 100), (std::vector<std::size_t>{0, 5}));
}

TEST(TokenBatch, BatchesArePlannedAsTheyAreMade) {
  Corpus corpus;
  corpus.sequence_start = {0, 3, 5, 12, 13, 14};
  corpus.token_id.resize(14);
  for (std::size_t limit = 1; limit < 16; ++limit) {
    const auto cuts = cut_into_batches(corpus.sequence_start, limit);
    const auto batches = make_batches(corpus, limit);
    ASSERT_EQ(batches.size() + 1, cuts.size());
    for (std::size_t b = 0; b < batches.size(); ++b) {
      EXPECT_EQ(batches[b].first_token, corpus.sequence_start[cuts[b]]);
      EXPECT_EQ(batches[b].sequence_start.size(), cuts[b + 1] - cuts[b] + 1);
    }
  }
}

}  // namespace
}  // namespace moescope
