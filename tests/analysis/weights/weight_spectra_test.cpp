#include "analysis/weights/weight_spectra.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <map>
#include <numeric>

#include "analysis/machine/interruption.h"
#include "metrics/spectra/singular_values.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/random_values.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::Each;
using testing::IsNan;

constexpr const char* router = "model.layers.1.mlp.gate.weight";  // [8, 16]
constexpr const char* embedding = "model.embed_tokens.weight";

/// A series of checkpoints of the builder's model, in float32.
class WeightSpectra : public testing::Test {
 protected:
  static CheckpointOptions small(std::uint64_t seed) {
    CheckpointOptions options;
    options.seed = seed;
    options.dtype = DType::f32;
    return options;
  }
  void add(const BuiltCheckpoint& built) {
    const auto path = directory_ / std::to_string(checkpoints_.size());
    built.write(path);
    checkpoints_.push_back(Checkpoint::open(path));
    weights_.emplace_back(checkpoints_.back());
  }
  /// With these values in place of the router's.
  void add(const std::vector<float>& values) {
    BuiltCheckpoint built = build_checkpoint(small(1));
    built.tensor(router).data = encode_elements(values, DType::f32);
    add(built);
  }

  std::vector<CheckpointWeights> views() const {
    std::vector<CheckpointWeights> views;
    for (std::size_t c = 0; c < checkpoints_.size(); ++c) views.push_back({&checkpoints_[c], &weights_[c]});
    return views;
  }
  std::size_t index_of(const std::string& name) const {
    std::size_t index = 0;
    while (weights_.front().all()[index].name != name) ++index;
    return index;
  }

  using All = std::map<std::size_t, MatrixSpectra>;
  All trace(unsigned threads, const SpectraOptions& options, double deviation = 1) const {
    ThreadPool pool(threads);
    All all;
    const std::span<const Weight> weights = weights_.front().all();
    trace_spectra(
        views(), choose_spectra(weights, SpectraChoice::all),
        std::vector<double>(checkpoints_.size() * weights.size(), deviation), pool, options,
        [&](const MatrixSpectra& spectra) { EXPECT_TRUE(all.emplace(spectra.index, spectra).second); });
    return all;
  }
  MatrixSpectra of_router(double deviation = 1) const { return trace(1, {}, deviation).at(index_of(router)); }

  TemporaryDirectory directory_;
  std::vector<Checkpoint> checkpoints_;
  std::vector<ModelWeights> weights_;
};

/// Every number of every matrix, as bits.
std::vector<std::uint64_t> bits(const std::map<std::size_t, MatrixSpectra>& all) {
  std::vector<std::uint64_t> result;
  const auto put = [&](double value) { result.push_back(std::bit_cast<std::uint64_t>(value)); };
  const auto put_ranks = [&](const WeightSpectrum& ranks) {
    for (double value :
         {ranks.spectral_norm, ranks.stable_rank, ranks.effective_rank, ranks.participation_ratio})
      put(value);
  };
  for (const auto& [index, spectra] : all) {
    for (const CheckpointSpectrum& one : spectra.checkpoints) {
      put_ranks(one.ranks);
      for (double value : {one.power_law.alpha, one.power_law.ks_distance, one.noise.edge, one.spike_count})
        put(value);
    }
    for (const StepSpectrum& step : spectra.steps) {
      put_ranks(step.ranks);
      put(step.overlap);
    }
  }
  return result;
}

/// Eight orthogonal rows of lengths 1 to 8.
std::vector<float> ladder() {
  std::vector<float> values(8 * 16);
  for (std::size_t i = 0; i < 8; ++i) values[i * 16 + i] = static_cast<float>(i + 1);
  return values;
}

// Squares of 1 … 8 sum to 204; sigma_1 is 8.
TEST_F(WeightSpectra, OfOrthogonalRowsFollowFromTheirLengths) {
  add(ladder());
  const CheckpointSpectrum spectrum = of_router(0.5).checkpoints.at(0);
  EXPECT_NEAR(spectrum.ranks.spectral_norm, 8, 1e-12);
  EXPECT_NEAR(spectrum.ranks.stable_rank, 204.0 / 64, 1e-12);
  EXPECT_NEAR(spectrum.noise.edge, 0.5 * (std::sqrt(8) + 4), 1e-12);
  EXPECT_EQ(spectrum.spike_count, 5);  // 4 to 8 are above 3.41 and the width of the edge, 0.43
}

TEST_F(WeightSpectra, OfADoubledMatrixKeepItsRanksAndDirections) {
  std::vector<float> values = normal_values<float>(8 * 16, 1);
  add(values);
  for (float& value : values) value *= 2;
  add(values);
  const MatrixSpectra spectra = of_router();
  const WeightSpectrum &first = spectra.checkpoints[0].ranks, &second = spectra.checkpoints[1].ranks;
  const StepSpectrum& step = spectra.steps.at(0);
  EXPECT_DOUBLE_EQ(second.spectral_norm, 2 * first.spectral_norm);
  EXPECT_DOUBLE_EQ(step.ranks.spectral_norm, first.spectral_norm);  // D = W
  EXPECT_DOUBLE_EQ(step.ranks.effective_rank, first.effective_rank);
  EXPECT_NEAR(step.overlap, 1, 1e-12);
}

// Eight directions among the 16 of the residual stream, then the other eight.
TEST_F(WeightSpectra, OfAMatrixThatTurnedAwayHaveNoOverlap) {
  add(ladder());
  std::vector<float> turned = ladder();
  for (std::size_t row = 0; row < 8; ++row)
    std::rotate(&turned[row * 16], &turned[row * 16 + 8], &turned[row * 16] + 16);
  add(turned);
  EXPECT_NEAR(of_router().steps.at(0).overlap, 0, 1e-12);
}

TEST_F(WeightSpectra, OfAnUpdateOfOneRowHaveRankOne) {
  std::vector<float> values = normal_values<float>(8 * 16, 1);
  add(values);
  for (std::size_t i = 0; i < 16; ++i) values[3 * 16 + i] += 0.25f;
  add(values);
  const StepSpectrum step = of_router().steps.at(0);
  EXPECT_NEAR(step.ranks.stable_rank, 1, 1e-6);  // the sums were rounded to float
  EXPECT_NEAR(step.ranks.effective_rank, 1, 1e-4);
  EXPECT_NEAR(step.ranks.spectral_norm, 1, 1e-6);
}

TEST_F(WeightSpectra, OfWeightsThatDidNotMoveHaveAnUpdateWithoutRank) {
  add(ladder());
  add(ladder());
  const StepSpectrum step = of_router().steps.at(0);
  EXPECT_EQ(step.ranks.spectral_norm, 0);
  EXPECT_THAT(step.ranks.stable_rank, IsNan());
  EXPECT_NEAR(step.overlap, 1, 1e-12);
}

TEST_F(WeightSpectra, AreUnknownBesideANonFiniteElement) {
  add(ladder());
  std::vector<float> broken = ladder();
  broken[5] = std::numeric_limits<float>::infinity();
  add(broken);
  const MatrixSpectra spectra = of_router();
  EXPECT_NEAR(spectra.checkpoints[0].ranks.spectral_norm, 8, 1e-12);
  const CheckpointSpectrum& second = spectra.checkpoints[1];
  EXPECT_THAT((std::vector<double>{second.ranks.spectral_norm, second.power_law.alpha, second.spike_count,
                                   spectra.steps[0].ranks.spectral_norm, spectra.steps[0].overlap}),
              Each(IsNan()));
}

TEST_F(WeightSpectra, AreTheSameForAnyThreadsAndMemory) {
  for (std::uint64_t seed : {1, 2, 3}) add(build_checkpoint(small(seed)));
  SpectraOptions one_at_a_time, all_at_once;
  all_at_once.memory = std::uint64_t{1} << 30;
  const auto expected = bits(trace(1, all_at_once));
  EXPECT_EQ(bits(trace(3, all_at_once)), expected);
  EXPECT_EQ(bits(trace(3, one_at_a_time)), expected);
}

TEST_F(WeightSpectra, CountEveryByteTheyRead) {
  for (std::uint64_t seed : {1, 2}) add(build_checkpoint(small(seed)));
  std::uint64_t read = 0, expected = 0;
  SpectraOptions options;
  options.advance = [&](std::uint64_t bytes) { read += bytes; };
  trace(2, options);
  const std::span<const Weight> weights = weights_.front().all();
  for (const std::size_t index : choose_spectra(weights, SpectraChoice::all))
    expected += 2 * weights[index].bytes();
  EXPECT_EQ(read, expected);
}

TEST_F(WeightSpectra, KeepWhatWasFinishedWhenInterrupted) {
  for (std::uint64_t seed : {1, 2}) add(build_checkpoint(small(seed)));
  ThreadPool pool(2);
  std::atomic<bool> stop{false};
  SpectraOptions options;
  options.interrupted = &stop;
  const std::span<const Weight> weights = weights_.front().all();
  const std::vector<std::size_t> chosen = choose_spectra(weights, SpectraChoice::all);
  std::size_t finished = 0;
  EXPECT_THROW(trace_spectra(views(), chosen, std::vector<double>(2 * weights.size(), 1.0), pool, options,
                             [&](const MatrixSpectra& spectra) {
                               EXPECT_EQ(spectra.steps.size(), 1u);
                               stop = ++finished >= 3;
                             }),
               Interrupted);
  EXPECT_GE(finished, 3u);
  EXPECT_LT(finished, chosen.size());
}

// A tall matrix above direct_decomposition_limit: the embedding, 700 x 264, in pieces of 100 rows.
TEST_F(WeightSpectra, InPiecesAreThoseOfTheWhole) {
  for (std::uint64_t seed : {1, 2}) {
    CheckpointOptions options = small(seed);
    options.hidden_size = 264;
    options.vocab_size = 700;
    add(build_checkpoint(options));
  }
  ASSERT_GT(264u, direct_decomposition_limit);
  SpectraOptions options;
  const MatrixSpectra whole = trace(2, options).at(index_of(embedding));
  options.pieces = {1000, 264 * 100 + 5};
  const MatrixSpectra pieces = trace(2, options).at(index_of(embedding));
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_NEAR(pieces.checkpoints[c].ranks.spectral_norm / whole.checkpoints[c].ranks.spectral_norm, 1,
                1e-12);
    EXPECT_NEAR(pieces.checkpoints[c].ranks.effective_rank / whole.checkpoints[c].ranks.effective_rank, 1,
                1e-10);
    EXPECT_NEAR(pieces.checkpoints[c].power_law.alpha / whole.checkpoints[c].power_law.alpha, 1, 1e-8);
  }
  EXPECT_NEAR(pieces.steps[0].ranks.stable_rank / whole.steps[0].ranks.stable_rank, 1, 1e-12);
  EXPECT_NEAR(pieces.steps[0].overlap, whole.steps[0].overlap, 1e-9);
}

}  // namespace
}  // namespace moescope
