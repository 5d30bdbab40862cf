#include "metrics/spectra/power_law.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace moescope {
namespace {

using testing::IsNan;

void expect_unknown(const PowerLawFit& fit) {
  EXPECT_THAT(fit.alpha, IsNan());
  EXPECT_THAT(fit.ks_distance, IsNan());
  EXPECT_THAT(fit.x_min, IsNan());
  EXPECT_THAT(fit.alpha_weighted, IsNan());
  EXPECT_EQ(fit.tail_length, 0);
}

/// The algorithm as WeightWatcher's WWFit.fit_power_law states it, without any
/// shortcut: every x_min in ascending order, every point of every tail, the first least distance wins.
PowerLawFit stated_algorithm(const std::vector<double>& singular_values) {
  std::vector<double> lambda;
  for (const double sigma : singular_values) {
    if (sigma * sigma > 1e-5) lambda.push_back(sigma * sigma);
  }
  std::sort(lambda.begin(), lambda.end());
  PowerLawFit best;
  for (std::size_t i = 0; i + 1 < lambda.size(); ++i) {
    const auto n = static_cast<double>(lambda.size() - i);
    double logarithms = 0;
    for (std::size_t j = i; j < lambda.size(); ++j) logarithms += std::log(lambda[j] / lambda[i]);
    const double alpha = 1 + n / logarithms;
    double distance = 0;
    for (std::size_t j = i; j < lambda.size(); ++j) {
      const double fitted = 1 - std::pow(lambda[j] / lambda[i], 1 - alpha);
      distance = std::max(distance, std::abs(fitted - static_cast<double>(j - i) / n));
    }
    if (i > 0 && !(distance < best.ks_distance)) continue;
    best = {alpha, distance, lambda[i], alpha * std::log10(lambda.back()), static_cast<std::int64_t>(n)};
  }
  return best;
}

/// Singular values whose squares follow a power law from x_min on, and are uniform on (0, x_min) below it.
std::vector<double> planted(double alpha, double x_min, std::size_t tail, std::size_t below, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<double> sigma;
  for (std::size_t i = 0; i < tail; ++i) {
    sigma.push_back(std::sqrt(x_min * std::pow(1 - uniform(generator), -1 / (alpha - 1))));
  }
  for (std::size_t i = 0; i < below; ++i) sigma.push_back(std::sqrt(x_min * uniform(generator)));
  std::shuffle(sigma.begin(), sigma.end(), generator);
  return sigma;
}

void expect_close(const PowerLawFit& found, const PowerLawFit& expected) {
  EXPECT_NEAR(found.alpha / expected.alpha, 1, 1e-10);
  EXPECT_NEAR(found.ks_distance, expected.ks_distance, 1e-12);
  EXPECT_EQ(found.x_min, expected.x_min);
  EXPECT_NEAR(found.alpha_weighted, expected.alpha_weighted, 1e-9);
  EXPECT_EQ(found.tail_length, expected.tail_length);
}

TEST(PowerLaw, MatchesAnExampleByHand) {
  // lambda = 1, 4: the only x_min is 1; alpha = 1 + 2 / ln 4; F(4) = 1 - exp(-2), half of the tail is
  // below 4.
  const PowerLawFit fit = power_law_fit(std::vector<double>{2, 1});
  EXPECT_DOUBLE_EQ(fit.alpha, 1 + 2 / std::log(4));
  EXPECT_DOUBLE_EQ(fit.ks_distance, 0.5 - std::exp(-2));
  EXPECT_EQ(fit.x_min, 1);
  EXPECT_EQ(fit.tail_length, 2);
  EXPECT_DOUBLE_EQ(fit.alpha_weighted, fit.alpha * std::log10(4));
}

TEST(PowerLaw, IsTheStatedAlgorithm) {
  for (unsigned seed = 0; seed < 8; ++seed) {
    for (const double alpha : {1.5, 2.5, 4.0}) {
      const std::vector<double> sigma = planted(alpha, 0.3, 100 + 37 * seed, 120, seed);
      expect_close(power_law_fit(sigma), stated_algorithm(sigma));
    }
  }
}

TEST(PowerLaw, IsTheStatedAlgorithmWhereNoPowerLawIs) {
  std::mt19937 generator(3);
  for (const std::size_t size : {2ul, 3ul, 33ul, 34ul, 65ul, 500ul}) {
    std::uniform_real_distribution<double> uniform(0, 10);
    std::vector<double> sigma(size);
    for (double& value : sigma) value = uniform(generator);
    expect_close(power_law_fit(sigma), stated_algorithm(sigma));
  }
}

TEST(PowerLaw, FindsThePlantedExponent) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    for (const double alpha : {2.0, 3.5}) {
      const PowerLawFit fit = power_law_fit(planted(alpha, 2, 2000, 1000, seed));
      // Standard error (alpha - 1) / sqrt(n) (Clauset, Shalizi and Newman 2009, eq. 3.2); the least distance
      // may leave out a part of the tail: six standard errors of the whole.
      EXPECT_NEAR(fit.alpha, alpha, 6 * (alpha - 1) / std::sqrt(2000.0));
      EXPECT_LT(fit.ks_distance, 0.05);
      EXPECT_GT(fit.tail_length, 500);
    }
  }
}

TEST(PowerLaw, OfExactQuantilesTakesTheWholeTail) {
  // lambda_(j) at F = j / n exactly: with the planted exponent no distance is left but that of alpha's error.
  const std::size_t n = 1000;
  std::vector<double> sigma(n);
  for (std::size_t j = 0; j < n; ++j) {
    sigma[j] = std::sqrt(std::pow(1 - static_cast<double>(j) / static_cast<double>(n), -1 / 1.7));
  }
  const PowerLawFit fit = power_law_fit(sigma);
  EXPECT_NEAR(fit.alpha, 2.7, 0.02);
  EXPECT_LT(fit.ks_distance, 0.003);
  EXPECT_GT(fit.tail_length, 900);
}

TEST(PowerLaw, LeavesOutWhatIsNotAboveTheThreshold) {
  std::vector<double> sigma = planted(2.5, 1, 200, 0, 1);
  const PowerLawFit plain = power_law_fit(sigma);
  sigma.insert(sigma.end(), {0, 1e-9, std::sqrt(0.9e-5)});
  expect_close(power_law_fit(sigma), plain);
}

TEST(PowerLaw, KeepsItsExponentWhenScaled) {
  std::vector<double> sigma = planted(3, 1, 300, 100, 5);
  std::erase_if(sigma, [](double value) { return value < 0.1; });
  const PowerLawFit plain = power_law_fit(sigma);
  for (double& value : sigma) value *= 8;
  const PowerLawFit scaled = power_law_fit(sigma);
  EXPECT_NEAR(scaled.alpha / plain.alpha, 1, 1e-10);
  EXPECT_NEAR(scaled.ks_distance, plain.ks_distance, 1e-12);
  EXPECT_EQ(scaled.x_min, 64 * plain.x_min);
  EXPECT_EQ(scaled.tail_length, plain.tail_length);
}

TEST(PowerLaw, CountsEqualEigenvaluesOneByOne) {
  const std::vector<double> sigma = {1, 1, 2, 2, 3, 5};
  expect_close(power_law_fit(sigma), stated_algorithm(sigma));
}

TEST(PowerLaw, IsUnknownWithoutTwoDifferentEigenvalues) {
  expect_unknown(power_law_fit({}));
  expect_unknown(power_law_fit(std::vector<double>{2}));
  expect_unknown(power_law_fit(std::vector<double>{2, 0, 0.001}));  // one above the threshold
  expect_unknown(power_law_fit(std::vector<double>(5, 3.0)));       // an orthogonal matrix
  expect_unknown(power_law_fit(std::vector<double>(5, 0.0)));       // a zero matrix
}

TEST(PowerLaw, IsUnknownBesideNonFiniteValues) {
  expect_unknown(power_law_fit(std::vector<double>{1, 2, std::numeric_limits<double>::quiet_NaN()}));
  expect_unknown(power_law_fit(std::vector<double>{1, 2, std::numeric_limits<double>::infinity()}));
  expect_unknown(power_law_fit(std::vector<double>{1, 2, 1e200}));  // its square is infinite
}

}  // namespace
}  // namespace moescope
