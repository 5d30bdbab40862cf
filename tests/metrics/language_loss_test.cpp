#include "metrics/language_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace moescope {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

TEST(LanguageLoss, TokensThatPredictNothingDoNotCount) {
  const LanguageLoss loss = language_loss(std::vector<double>{1, 2, nan, 6, nan});
  EXPECT_EQ(loss.tokens, 3);
  EXPECT_EQ(loss.total, 9);
  EXPECT_EQ(loss.mean(), 3);
}

TEST(LanguageLoss, IsUnknownWithoutPredictions) {
  EXPECT_THAT(language_loss({}).mean(), testing::IsNan());
  EXPECT_THAT(language_loss(std::vector<double>{nan}).mean(), testing::IsNan());
}

TEST(LanguageLoss, AnImpossibleTokenMakesTheLossInfinite) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(language_loss(std::vector<double>{1, infinity, 1}).mean(), infinity);
}

TEST(LanguageLoss, GuessingAmongAVocabularyHasItsSizeAsPerplexity) {
  const std::vector<double> nll(1000, std::log(1024.0));
  EXPECT_NEAR(perplexity(language_loss(nll).mean()), 1024, 1e-9);
}

TEST(LanguageLoss, GuessingBytesCostsEightBitsEach) {
  EXPECT_NEAR(bits_per_byte(100 * std::log(256.0), 100), 8, 1e-13);
  EXPECT_THAT(bits_per_byte(1, 0), testing::IsNan());
}

TEST(LanguageLoss, DoesNotDependOnTheOrderOfMagnitudes) {
  std::vector<double> nll(100000, 1e-8);
  nll.front() = 1e8;
  EXPECT_NEAR(language_loss(nll).total, 1e8 + 99999e-8, 1.5e-8);
}

}  // namespace
}  // namespace moescope
