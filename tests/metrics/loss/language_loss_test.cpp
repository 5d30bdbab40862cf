#include "metrics/loss/language_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "metrics/statistics.h"

namespace moescope {
namespace {

TEST(LanguageLoss, IsTheMeanOverPredictedTokens) {
  const LanguageLoss loss = language_loss(std::vector<double>{1, 2, 6});
  EXPECT_EQ(loss.tokens, 3);
  EXPECT_EQ(loss.total, 9);
  EXPECT_EQ(loss.nonfinite, 0);
  EXPECT_EQ(loss.mean(), 3);
}

TEST(LanguageLoss, IsUnknownWithoutPredictions) {
  EXPECT_THAT(language_loss({}).mean(), testing::IsNan());
}

// The mean of the others would be the loss of another text.
TEST(LanguageLoss, OneLossThatIsNotFiniteMakesTheMeanNaNAndIsCounted) {
  for (const double value : {nan, std::numeric_limits<double>::infinity()}) {
    const LanguageLoss loss = language_loss(std::vector<double>{1, value, 3});
    EXPECT_EQ(loss.tokens, 3);
    EXPECT_EQ(loss.nonfinite, 1);
    EXPECT_EQ(loss.total, 4);
    EXPECT_THAT(loss.mean(), testing::IsNan());
  }
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
