#include "analysis/forward/forward_budget.h"
#include "analysis/forward/token_batch.h"

#include <gtest/gtest.h>

#include "analysis/forward/forward.h"
#include "readers/errors.h"

namespace moescope {
namespace {

/// The shape of dots.llm1 (arXiv 2506.05767).
ModelConfig dots1() {
  ModelConfig config;
  config.hidden_size = 4096;
  config.num_attention_heads = config.num_key_value_heads = 32;
  config.head_dim = 128;
  config.intermediate_size = 10944;
  config.moe_intermediate_size = 1408;
  config.n_routed_experts = 128;
  config.n_shared_experts = 2;
  return config;
}

TEST(MemoryBudget, PartsStayWithinTheWhole) {
  for (std::uint64_t memory : {1ull << 30, 3ull << 30, 100ull << 30}) {
    const MemoryBudget budget = divide_memory(dots1(), memory, 1'000'000, 2048);
    EXPECT_LE(budget.batch_tokens * activation_bytes_per_token(dots1()) + budget.weight_bytes, memory);
    EXPECT_GE(budget.batch_tokens, 2048u);
  }
}

TEST(MemoryBudget, FourThousandTokensOfDots1FitThreeGibibytesInOnePass) {
  EXPECT_GE(divide_memory(dots1(), 3ull << 30, 4096, 2048).batch_tokens, 4096u);
}

// 48 MiB for the program, 4.01 MiB for two blocks of rows of the widest matrix (10,944 columns, float32), and
// 208 MiB for 2,048 tokens of 106,624 bytes: residual and input (2 x 4,096 floats), input panels and hidden
// values of the dense layer in bfloat16 (4,096 and 10,944), gated values (10,944 floats).
TEST(MemoryBudget, TooLittleForOneSequenceNamesWhatWouldDo) {
  try {
    divide_memory(dots1(), 64ull << 20, 4096, 2048);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(),
                 "--memory 64MiB is too little for a sequence of 2048 tokens (expected at least 259MiB)");
  }
}

TEST(MemoryBudget, BatchesAreWholeSequencesWithinTheLimit) {
  const std::vector<std::size_t> start{0, 3, 5, 12, 13, 14};
  EXPECT_EQ(cut_into_batches(start, 5), (std::vector<std::size_t>{0, 2, 3, 5}));
  EXPECT_EQ(cut_into_batches(start, 8), (std::vector<std::size_t>{0, 2, 4, 5}));
  EXPECT_EQ(cut_into_batches(start, 1), (std::vector<std::size_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(cut_into_batches(start, 100), (std::vector<std::size_t>{0, 5}));
}

TEST(MemoryBudget, BatchesArePlannedAsTheyAreMade) {
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
