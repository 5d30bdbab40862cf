#include "metrics/entry/level.h"

#include <gtest/gtest.h>

namespace moescope {
namespace {

constexpr RoutingSizes sizes = {.experts = 8, .top_k = 2, .eligible = 8};

double share(std::int64_t experts, std::int64_t top_k) {
  return static_cast<double>(top_k) / static_cast<double>(experts);
}

double choices(std::int64_t, std::int64_t top_k, std::int64_t tokens) {
  return static_cast<double>(top_k * tokens);
}

TEST(Level, DoesNotExistUnlessItIsGiven) {
  EXPECT_FALSE(Level().exists());
  EXPECT_TRUE(Level(0.0).exists());
}

TEST(Level, IsANumberOrFollowsFromSizesOrAlsoFromTokens) {
  EXPECT_EQ(Level(1.5).at(sizes), 1.5);
  EXPECT_EQ(Level(share).at(sizes), 0.25);
  EXPECT_EQ(Level(choices).at(sizes, 100), 200);
  EXPECT_FALSE(Level(share).depends_on_tokens());
  EXPECT_TRUE(Level(choices).depends_on_tokens());
}

}  // namespace
}  // namespace moescope
