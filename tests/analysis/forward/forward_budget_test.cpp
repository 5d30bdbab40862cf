#include "analysis/forward/forward_budget.h"

#include <gtest/gtest.h>

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

TEST(ForwardBudget, PartsStayWithinTheWhole) {
  for (std::uint64_t memory : {1ull << 30, 3ull << 30, 100ull << 30}) {
    const MemoryBudget budget = divide_memory(dots1(), memory, 1'000'000, 2048);
    EXPECT_LE(budget.batch_tokens * activation_bytes_per_token(dots1()) + budget.weight_bytes, memory);
    EXPECT_GE(budget.batch_tokens, 2048u);
  }
}

TEST(ForwardBudget, FourThousandTokensOfDots1FitThreeGibibytesInOnePass) {
  EXPECT_GE(divide_memory(dots1(), 3ull << 30, 4096, 2048).batch_tokens, 4096u);
}

// 48 MiB for the program, 4.01 MiB for two blocks of rows of the widest matrix (10,944 columns, float32), and
// 208 MiB for 2,048 tokens of 106,624 bytes: residual and input (2 x 4,096 floats), input panels and hidden
// values of the dense layer in bfloat16 (4,096 and 10,944), gated values (10,944 floats).
TEST(ForwardBudget, TooLittleForOneSequenceNamesWhatWouldDo) {
  try {
    divide_memory(dots1(), 64ull << 20, 4096, 2048);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(),
                 "--memory 64MiB is too little for a sequence of 2048 tokens (expected at least 259MiB)");
  }
}

}  // namespace
}  // namespace moescope
