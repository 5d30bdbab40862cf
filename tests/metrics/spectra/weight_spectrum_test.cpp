#include "metrics/spectra/weight_spectrum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "metrics/spectra/singular_values.h"
#include "metrics/statistics.h"
#include "tests/support/random_values.h"

namespace moescope {
namespace {

using testing::IsNan;

void expect_close(const WeightSpectrum& found, const WeightSpectrum& expected) {
  EXPECT_DOUBLE_EQ(found.spectral_norm, expected.spectral_norm);
  EXPECT_DOUBLE_EQ(found.stable_rank, expected.stable_rank);
  EXPECT_DOUBLE_EQ(found.effective_rank, expected.effective_rank);
  EXPECT_DOUBLE_EQ(found.participation_ratio, expected.participation_ratio);
}

TEST(WeightSpectrum, MatchesAnExampleByHand) {
  // q = (3/4, 1/4), lambda = (9, 1).
  const double entropy = -(0.75 * std::log(0.75) + 0.25 * std::log(0.25));
  expect_close(weight_spectrum(std::vector<double>{3, 1}), {3, 10.0 / 9, std::exp(entropy), 100.0 / 82});
}

TEST(WeightSpectrum, OfAFlatSpectrumHasTheFullRank) {
  expect_close(weight_spectrum(std::vector<double>(7, 0.3)), {0.3, 7, 7, 7});
}

TEST(WeightSpectrum, OfOneDirectionHasRankOne) {
  expect_close(weight_spectrum(std::vector<double>{0, 5, 0}), {5, 1, 1, 1});
}

TEST(WeightSpectrum, OfALargeOuterProductHasRankOneButForRounding) {
  const std::size_t rows = 300, columns = 400;
  std::vector<float> values(rows * columns);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>((i / columns % 3 + 1) * (i % columns % 5 + 1));
  }
  const WeightSpectrum spectrum = weight_spectrum(singular_values({values, rows, columns}));
  EXPECT_NEAR(spectrum.stable_rank, 1, 1e-12);
  EXPECT_NEAR(spectrum.participation_ratio, 1, 1e-12);
  EXPECT_NEAR(spectrum.effective_rank, 1, 1e-3);  // as documented in singular_values.h
}

TEST(WeightSpectrum, KeepsItsRanksAtEveryScale) {
  const WeightSpectrum plain = weight_spectrum(std::vector<double>{4, 2, 1});
  for (const double scale : {0x1p-1000, 0x1p-3, 0x1p+1000}) {
    const WeightSpectrum scaled = weight_spectrum(std::vector<double>{4 * scale, 2 * scale, scale});
    expect_close(scaled, {4 * scale, plain.stable_rank, plain.effective_rank, plain.participation_ratio});
  }
}

TEST(WeightSpectrum, OfAZeroMatrixHasANormAndNoRank) {
  const WeightSpectrum spectrum = weight_spectrum(std::vector<double>(3, 0.0));
  EXPECT_EQ(spectrum.spectral_norm, 0);
  EXPECT_THAT(spectrum.stable_rank, IsNan());
  EXPECT_THAT(spectrum.effective_rank, IsNan());
  EXPECT_THAT(spectrum.participation_ratio, IsNan());
}

TEST(WeightSpectrum, IsUnknownOfNothingAndOfNan) {
  for (const std::vector<double>& values : {std::vector<double>{}, std::vector<double>{1, nan, 2}}) {
    const WeightSpectrum spectrum = weight_spectrum(values);
    EXPECT_THAT(spectrum.spectral_norm, IsNan());
    EXPECT_THAT(spectrum.stable_rank, IsNan());
    EXPECT_THAT(spectrum.effective_rank, IsNan());
    EXPECT_THAT(spectrum.participation_ratio, IsNan());
  }
}

TEST(WeightSpectrum, OfGaussianNoiseMatchesTheory) {
  // By the law of Marchenko and Pastur, for m = 1,200 and n = 300; the effective rank has no such formula.
  const double m = 1200, n = 300;
  const WeightSpectrum spectrum =
      weight_spectrum(singular_values({normal_values<float>(300 * 1200, 2, 1), 1200, 300}));
  EXPECT_NEAR(spectrum.stable_rank / (n / std::pow(1 + std::sqrt(n / m), 2)), 1, 0.02);
  EXPECT_NEAR(spectrum.participation_ratio / (n / (1 + n / m)), 1, 0.01);
  EXPECT_NEAR(spectrum.spectral_norm / (std::sqrt(m) + std::sqrt(n)), 1, 0.01);
  EXPECT_GT(spectrum.effective_rank, spectrum.participation_ratio);
  EXPECT_LT(spectrum.effective_rank, n);
}

TEST(MarchenkoPastur, EdgeIsTheSumOfTheRootsOfTheSides) {
  const NoiseEdge noise = marchenko_pastur_edge(1600, 400, 0.5);
  EXPECT_DOUBLE_EQ(noise.edge, 0.5 * (40 + 20));
  // Johnstone 2001 with the centring of Ma 2012: (a + b)² + 2.0234 (a + b) cbrt(1/a + 1/b).
  const double a = std::sqrt(1599.5), b = std::sqrt(399.5);
  EXPECT_DOUBLE_EQ(noise.spike_threshold,
                   0.5 * std::sqrt((a + b) * (a + b) + 2.0234 * (a + b) * std::cbrt(1 / a + 1 / b)));
}

/// The share of random matrices with a spike, `deviation(values)` being their standard deviation.
template <class Deviation>
double share_with_spike(std::size_t rows, std::size_t columns, unsigned matrices, Deviation deviation) {
  unsigned with_spike = 0;
  for (unsigned seed = 0; seed < matrices; ++seed) {
    const std::vector<float> values = normal_values<float>(rows * columns, seed, 1);
    const NoiseEdge noise = marchenko_pastur_edge(rows, columns, deviation(values));
    with_spike += spike_count(singular_values({values, rows, columns}), noise) > 0 ? 1 : 0;
  }
  return static_cast<double>(with_spike) / matrices;
}

// 20 of 2,000 are expected; the standard deviation is 4.5.
TEST(MarchenkoPastur, OneRandomMatrixInAHundredHasASpike) {
  const auto known = [](const std::vector<float>&) { return 1.0; };
  EXPECT_NEAR(share_with_spike(8, 32, 2000, known), 0.01, 0.0045);
  EXPECT_NEAR(share_with_spike(24, 12, 2000, known), 0.01, 0.0045);
}

// As documented: a large singular value raises the deviation of the elements, too.
TEST(MarchenkoPastur, FewerSmallMatricesHaveOneByTheDeviationOfTheirOwnElements) {
  const double share = share_with_spike(16, 64, 1000, [](const std::vector<float>& values) {
    double square = 0;
    for (const float value : values) square += static_cast<double>(value) * value;
    return std::sqrt(square / static_cast<double>(values.size()));
  });
  EXPECT_NEAR(share, 0.0045, 0.004);
}

TEST(MarchenkoPastur, HasNoEdgeWithoutASideOrADeviation) {
  for (const NoiseEdge& noise :
       {marchenko_pastur_edge(0, 3, 1), marchenko_pastur_edge(3, 0, 1), marchenko_pastur_edge(3, 3, nan),
        marchenko_pastur_edge(3, 3, std::numeric_limits<double>::infinity()),
        marchenko_pastur_edge(3, 3, -1)}) {
    EXPECT_THAT(noise.edge, IsNan());
    EXPECT_THAT(noise.spike_threshold, IsNan());
  }
  EXPECT_EQ(marchenko_pastur_edge(3, 3, 0).edge, 0);
}

TEST(MarchenkoPastur, CountsWhatIsAboveTheThreshold) {
  const NoiseEdge noise{10, 11};
  EXPECT_EQ(spike_count(std::vector<double>{20, 11.5, 11, 10.5, 1}, noise), 2);
  EXPECT_EQ(spike_count({}, noise), 0);
  EXPECT_THAT(spike_count(std::vector<double>{20, nan}, noise), IsNan());
  EXPECT_THAT(spike_count(std::vector<double>{20}, {nan, nan}), IsNan());
}

TEST(MarchenkoPastur, FindsNoSpikeInNoiseBeyondTheStatedOneInAHundred) {
  const NoiseEdge noise = marchenko_pastur_edge(50, 200, 2);
  int with_spike = 0, above_edge = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    const std::vector<double> sigma = singular_values({normal_values<float>(50 * 200, seed, 2), 50, 200});
    with_spike += spike_count(sigma, noise) > 0;
    above_edge += sigma[0] > noise.edge;
  }
  // Of 400, 4 are expected; 12 or more have a probability of 0.1 % (binomial).
  EXPECT_LT(with_spike, 12);
  // The edge itself is passed by one in six (1 - F_1(0) = 0.168): the threshold is not idle.
  EXPECT_GT(above_edge, 20);
}

TEST(MarchenkoPastur, FindsOnePlantedSpike) {
  // A rank-one matrix of norm theta in unit noise moves a singular value to
  // sqrt((m + theta²)(n + theta²)) / theta if theta > (m n)^(1/4) (Benaych-Georges and Nadakuditi 2012).
  const std::size_t rows = 100, columns = 400;
  const double theta = 40;
  std::vector<float> values = normal_values<float>(rows * columns, 4, 1);
  for (float& value : values) value += static_cast<float>(theta / std::sqrt(100.0 * 400.0));
  const std::vector<double> sigma = singular_values({values, rows, columns});
  EXPECT_EQ(spike_count(sigma, marchenko_pastur_edge(rows, columns, 1)), 1);
  EXPECT_NEAR(sigma[0], std::sqrt((100 + theta * theta) * (400 + theta * theta)) / theta, 3);
}

}  // namespace
}  // namespace moescope
