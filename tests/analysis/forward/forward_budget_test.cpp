#include "analysis/forward/forward_budget.h"

#include <gtest/gtest.h>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "tests/support/source_path.h"

namespace moescope {
namespace {

/// dots.llm1 (arXiv 2506.05767).
ModelConfig dots1() {
  const std::string file = source_path("data/dots_llm1/config.json");
  return parse_model_config(read_whole_file(file), file);
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
