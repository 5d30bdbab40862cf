#include "readers/errors.h"

#include <gtest/gtest.h>

namespace moescope {
namespace {

TEST(Errors, MessageNamesFileThingAndProblem) {
  const FormatError error("model.safetensors", "tensor 'a'", "expected shape [2], found [3]");
  EXPECT_STREQ(error.what(), "model.safetensors: tensor 'a': expected shape [2], found [3]");
}

TEST(Errors, AbsentPartsLeaveNoColon) {
  EXPECT_STREQ(UsageError("two checkpoints are needed").what(), "two checkpoints are needed");
}

}  // namespace
}  // namespace moescope
